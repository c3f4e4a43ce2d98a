//! A replica can log in to its source again after the source was restarted.

use super::{
    ANY_STRATEGY, Check, Finding, Level, Overriding, Reference, Subject, TOPOLOGIES, When,
};
use crate::survey::Question;

pub const CHECK: Check = Check {
    id: "channelLogin",
    level: Level::Error,
    reference: Reference {
        source: "MySQL manual, \"Caching SHA-2 Pluggable Authentication\"; server error 2061, seen on real servers",
        link: Some(
            "https://dev.mysql.com/doc/refman/8.4/en/caching-sha2-pluggable-authentication.html",
        ),
    },
    applies: When::Always,
    // A key in a file (SOURCE_PUBLIC_KEY_PATH) is not seen from here.
    overriding: Overriding::Allowed,
    needs: &[Question::OldAuthentication],
    title: "Replicas can log in to a source that was restarted",
    description: "A restart empties the cache of caching_sha2_password, so that the next login needs TLS or the server's public key: a channel with SOURCE_SSL=0 and GET_SOURCE_PUBLIC_KEY=0 runs until its source is restarted, and then fails (2061).",
    kinds: TOPOLOGIES,
    strategies: ANY_STRATEGY,
    run,
};

fn run(subject: Subject<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut unread = Vec::new();
    let answers = subject.answers(&CHECK, Question::OldAuthentication, &mut unread);
    let mut needed = false;
    for link in subject.links(&CHECK, &mut found) {
        let detail = link.channel.detail;
        if detail.ssl {
            continue;
        }
        let at_source = answers.iter().find(|(name, _, _)| *name == link.source);
        let of_user = format!("{}@", detail.user);
        let old = at_source.and_then(|(_, _, listing)| {
            let mut rows = listing.rows.iter();
            rows.find(|row| row.name.starts_with(&of_user))
        });
        needed |= at_source.is_none();
        match old {
            _ if detail.get_public_key => {}
            Some(row) if row.detail == "mysql_native_password" => {}
            Some(_) | None => found.push(CHECK.error(
                link.channel.object(),
                format!(
                    "logs in to {} as {} without TLS and without its public key: once {} has been restarted that fails (2061)",
                    link.source, detail.user, link.source
                ),
                link.channel.change("SOURCE_SSL=1"),
            )),
        }
        found.push(CHECK.warning(
            link.channel.object(),
            "replicates in plain text (SOURCE_SSL=0)",
            format!(
                "{}; a channel that is made anew on 9.7 uses TLS unless SOURCE_SSL=0 is written out",
                link.channel.change("SOURCE_SSL=1")
            ),
        ));
    }
    if needed {
        found.extend(unread);
    }
    found
}
