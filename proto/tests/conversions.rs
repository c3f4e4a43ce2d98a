//! Every value survives the wire, and no bytes can make a conversion panic.

mod samples;

use proptest::prelude::*;
use prost::Message;
use refit_proto::exchange::{
    BeatsRequest, CarryOutEvent, LedgerEntry, LedgerRequest, ObserveRequest, ProbeReply, Refusal,
    SurveyRequest,
};
use refit_proto::{agent, common, journal};
use refit_shared::config::persisted::PersistedSetting;
use refit_shared::config::{ConfigFiles, OptionFile};
use refit_shared::observation::{Beat, Fact, Observation};
use refit_shared::operation::{Operation, Order};
use refit_shared::plan::Plan;
use refit_shared::receipt::{Failure, Probe, Progress, Receipt};
use refit_shared::saga::{Actor, End, Entry, ParkReason};
use refit_shared::survey::{
    Address, Candidate, Fate, Judged, Listing, Question, Row, Speaks, Survey, Unreached,
};
use refit_shared::table::{TableFacts, TableName};
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::time::Duration;

/// Out as bytes and in again.
fn travels<T, W>(value: T)
where
    T: Clone + PartialEq + Debug + TryFrom<W, Error: Debug>,
    W: Message + Default + From<T>,
{
    let bytes = W::from(value.clone()).encode_to_vec();
    let message = W::decode(bytes.as_slice()).expect("our own bytes are a message");
    assert_eq!(
        T::try_from(message).expect("our own message is valid"),
        value
    );
}

/// Whatever the bytes are, they are refused or become a value that survives the wire.
fn never_panics<T, W>(bytes: &[u8])
where
    T: Clone + PartialEq + Debug + TryFrom<W, Error: Debug>,
    W: Message + Default + From<T>,
{
    if let Ok(message) = W::decode(bytes)
        && let Ok(value) = T::try_from(message)
    {
        travels::<T, W>(value);
    }
}

fn every_message(bytes: &[u8]) {
    never_panics::<Order, common::Order>(bytes);
    never_panics::<Receipt, common::Receipt>(bytes);
    never_panics::<Observation, common::Observation>(bytes);
    never_panics::<Beat, common::Beat>(bytes);
    never_panics::<Entry, journal::Entry>(bytes);
    never_panics::<CarryOutEvent, agent::CarryOutEvent>(bytes);
    never_panics::<ProbeReply, agent::ProbeReply>(bytes);
    never_panics::<LedgerEntry, agent::LedgerEntry>(bytes);
    never_panics::<BeatsRequest, agent::BeatsRequest>(bytes);
    never_panics::<Survey, common::Survey>(bytes);
    if let Ok(document) = common::PlanDocument::decode(bytes) {
        let _refused_or_a_plan = Plan::try_from(document);
    }
}

fn refusal() -> impl Strategy<Value = Refusal> {
    let epoch = proptest::option::of(samples::epoch());
    (samples::failure(), epoch).prop_map(|(failure, highest_epoch)| Refusal {
        failure,
        highest_epoch,
    })
}

fn survey() -> impl Strategy<Value = Survey> {
    let text = || "[a-z`.é]{0,6}";
    let row = (text(), text(), text(), text()).prop_map(|(schema, name, part, detail)| Row {
        schema,
        name,
        part,
        detail,
    });
    let listing = (any::<u64>(), proptest::collection::vec(row, 0..3));
    let known = listing.prop_map(|(total, rows)| Fact::Known(Listing { total, rows }));
    let fact = prop_oneof![known, text().prop_map(Fact::Unknown)];
    let question = proptest::sample::select(Question::ALL);
    let file =
        (text(), text(), any::<bool>()).prop_map(|(path, text, world_writable)| OptionFile {
            world_writable,
            ..OptionFile::new(path, text)
        });
    let setting = (text(), text()).prop_map(|(name, value)| PersistedSetting { name, value });
    let files = proptest::collection::vec(file, 0..3);
    let config =
        (files, proptest::collection::vec(setting, 0..2)).prop_map(|(files, persisted)| {
            ConfigFiles {
                roots: files.iter().map(|file| file.path.clone()).collect(),
                files,
                persisted,
                ..ConfigFiles::default()
            }
        });
    let config = proptest::option::of(config);
    (
        proptest::collection::btree_map(question, fact, 0..4),
        config,
        proptest::option::of(tables()),
        proptest::option::of(judged()),
        proptest::option::of(unreached()),
    )
        .prop_map(|(answers, config, tables, judged, unreached)| Survey {
            answers,
            config,
            tables,
            judged,
            unreached,
        })
}

fn unreached() -> impl Strategy<Value = Fact<BTreeMap<Address, Unreached>>> {
    let speaks = prop_oneof![Just(Speaks::Mysql), Just(Speaks::Xcom)];
    let address = ("[a-z:.]{1,8}", any::<u16>(), speaks);
    let address = address.prop_map(|(host, port, speaks)| Address { host, port, speaks });
    let why = (any::<bool>(), "[a-z ]{0,8}");
    let why = why.prop_map(|(refused, why)| Unreached { refused, why });
    prop_oneof![
        proptest::collection::btree_map(address, why, 0..3).prop_map(Fact::Known),
        "[a-z ]{0,6}".prop_map(Fact::Unknown),
    ]
}

fn judged() -> impl Strategy<Value = Fact<Judged>> {
    let errors = proptest::collection::vec("[a-z' ]{0,8}", 0..3);
    let said = (any::<bool>(), errors, libraries());
    prop_oneof![
        said.prop_map(|(accepted, errors, libraries)| Fact::Known(Judged {
            accepted,
            errors,
            libraries
        })),
        "[a-z ]{0,8}".prop_map(Fact::Unknown),
    ]
}

fn libraries() -> impl Strategy<Value = Fact<BTreeMap<String, Fate>>> {
    let package = || "[a-z-]{1,6}";
    let fate = prop_oneof![
        Just(Fate::Shipped),
        package().prop_map(|package| Fate::Goes { package }),
        proptest::option::of(package()).prop_map(|package| Fate::Stays { package }),
        Just(Fate::Absent),
    ];
    prop_oneof![
        proptest::collection::btree_map("/[a-z]{1,6}", fate, 0..3).prop_map(Fact::Known),
        "[a-z ]{0,6}".prop_map(Fact::Unknown),
    ]
}

fn tables() -> impl Strategy<Value = Fact<BTreeMap<TableName, TableFacts>>> {
    let base = ("[A-Za-z]{0,6}", any::<u64>(), any::<bool>());
    let facts = prop_oneof![
        Just(TableFacts::Missing),
        "[A-Z ]{0,8}".prop_map(TableFacts::NotBase),
        base.prop_map(|(engine, bytes, locks)| TableFacts::Base {
            engine,
            bytes,
            locks
        }),
    ];
    let name = "[a-z]{1,4}\\.[a-zé`]{1,4}".prop_filter_map("a system schema", |n| n.parse().ok());
    prop_oneof![
        proptest::collection::btree_map(name, facts, 0..3).prop_map(Fact::Known),
        "[a-z ]{0,6}".prop_map(Fact::Unknown),
    ]
}

#[test]
fn a_survey_says_what_is_wrong_with_it() {
    let answer = |question: &str| common::Answer {
        question: question.to_owned(),
        fact: Some(common::answer::Fact::UnknownReason("r".to_owned())),
    };
    let survey = |answers| {
        Survey::try_from(common::Survey {
            answers,
            config: None,
            tables: None,
            judged: None,
            unreached: None,
        })
    };
    assert!(survey(vec![answer("row_formats")]).is_ok());
    let twice = survey(vec![answer("row_formats"), answer("row_formats")]).unwrap_err();
    assert!(twice.to_string().contains("answers[1].question"), "{twice}");
    let unknown = survey(vec![answer("weather")]).unwrap_err();
    assert!(unknown.to_string().contains("weather"), "{unknown}");
    let silent = common::Answer {
        question: "row_formats".to_owned(),
        fact: None,
    };
    assert!(survey(vec![silent]).is_err());
    let untold = Survey::try_from(common::Survey {
        judged: Some(common::JudgedFact { fact: None }),
        ..common::Survey::default()
    });
    assert!(untold.unwrap_err().to_string().contains("judged"));

    // An agent of an earlier release looks for no library: that is not the same as that none is missing.
    let earlier = Survey::try_from(common::Survey {
        judged: Some(common::JudgedFact {
            fact: Some(common::judged_fact::Fact::Value(common::Judged {
                accepted: true,
                errors: Vec::new(),
                libraries: None,
            })),
        }),
        ..common::Survey::default()
    });
    let earlier = earlier.unwrap();
    let libraries = earlier.judged().unwrap().libraries.require();
    assert!(libraries.unwrap_err().contains("upgrade refit-agent"));
}

proptest! {
    #[test]
    fn orders_survive(order in samples::order()) { travels::<Order, common::Order>(order); }

    #[test]
    fn receipts_survive(receipt in samples::receipt()) { travels::<Receipt, common::Receipt>(receipt); }

    #[test]
    fn surveys_survive(survey in survey()) { travels::<Survey, common::Survey>(survey); }

    #[test]
    fn observations_survive(seen in samples::observation::observation()) {
        travels::<Observation, common::Observation>(seen);
    }

    #[test]
    fn beats_survive(beat in samples::observation::beat()) { travels::<Beat, common::Beat>(beat); }

    #[test]
    fn entries_survive(entry in samples::rollout::entry()) { travels::<Entry, journal::Entry>(entry); }

    #[test]
    fn parts_of_a_rollout_survive(
        (actor, reason, end) in (samples::rollout::actor(), samples::rollout::park_reason(), samples::rollout::end()),
    ) {
        travels::<Actor, common::Actor>(actor);
        travels::<ParkReason, common::ParkReason>(reason);
        travels::<End, common::End>(end);
    }

    #[test]
    fn small_parts_survive(
        (operation, failure, probe, progress) in
            (samples::operation(), samples::failure(), samples::probe(), samples::progress()),
    ) {
        travels::<Operation, common::Operation>(operation);
        travels::<Failure, common::Failure>(failure);
        travels::<Probe, common::Probe>(probe);
        travels::<Progress, common::Progress>(progress);
    }

    #[test]
    fn replies_survive(
        (progress, receipt, probe, refusal) in
            (samples::progress(), samples::receipt(), samples::probe(), refusal()),
    ) {
        travels::<CarryOutEvent, agent::CarryOutEvent>(CarryOutEvent::Progress(progress));
        travels::<CarryOutEvent, agent::CarryOutEvent>(CarryOutEvent::Receipt(receipt));
        travels::<CarryOutEvent, agent::CarryOutEvent>(CarryOutEvent::Refusal(refusal.clone()));
        travels::<ProbeReply, agent::ProbeReply>(ProbeReply::Found(probe));
        travels::<ProbeReply, agent::ProbeReply>(ProbeReply::Refusal(refusal));
    }

    #[test]
    fn requests_and_ledger_entries_survive(
        (cluster, member, rollout, every_ms) in
            (samples::cluster(), samples::member(), proptest::option::of(samples::rollout()), 20..=60_000u64),
        (order, content, began_unix_ms, receipt) in
            (samples::order(), samples::digest(), any::<i64>(), proptest::option::of(samples::receipt())),
    ) {
        travels::<ObserveRequest, agent::ObserveRequest>(ObserveRequest {
            cluster: cluster.clone(),
            member: member.clone(),
        });
        let every = Duration::from_millis(every_ms);
        travels::<BeatsRequest, agent::BeatsRequest>(BeatsRequest {
            cluster: cluster.clone(),
            member: member.clone(),
            every,
        });
        let addresses = vec![
            Address { host: "db1".to_owned(), port: 3306, speaks: Speaks::Mysql },
            Address { host: "::1".to_owned(), port: 33061, speaks: Speaks::Xcom },
        ];
        let candidate = match &order.operation {
            Operation::ValidateConfig { version, packages, files } => Some(Candidate {
                version: *version,
                packages: packages.clone(),
                files: files.clone(),
            }),
            _ => None,
        };
        travels::<SurveyRequest, agent::SurveyRequest>(SurveyRequest {
            cluster: cluster.clone(),
            member: member.clone(),
            questions: vec!["row_formats".to_owned()],
            tables: Vec::new(),
            candidate,
            addresses,
        });
        travels::<LedgerRequest, agent::LedgerRequest>(LedgerRequest { cluster, member, rollout });
        travels::<LedgerEntry, agent::LedgerEntry>(LedgerEntry { order, content, began_unix_ms, receipt });
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        every_message(&bytes);
    }

    /// Bytes that are nearly a message come further than noise does.
    #[test]
    fn damaged_messages_never_panic(
        seen in samples::observation::observation(),
        order in samples::order(),
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        for mut bytes in [
            common::Observation::from(seen).encode_to_vec(),
            common::Order::from(order).encode_to_vec(),
        ] {
            for (place, byte) in &damage {
                let place = place.index(bytes.len());
                bytes[place] = *byte;
            }
            every_message(&bytes);
        }
    }
}

#[test]
fn reflection_knows_the_services() {
    tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(refit_proto::FILE_DESCRIPTOR_SET)
        .build_v1()
        .expect("the descriptors are whole");
}
