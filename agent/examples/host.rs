//! Tries the production adapters by hand, one call at a time: `host agent.toml COMMAND [ARGUMENTS]`. For people who debug.

use refit_agent::config::AgentConfig;
use refit_agent::errorlog::{Follower, Startup, last_shutdown};
use refit_agent::host::Host;
use refit_agent::progress::Phase;
use refit_shared::ids::ServerUuid;
use refit_shared::observation::PackagePin;
use refit_shared::version::PackageVersion;
use std::path::Path;
use std::time::{Duration, Instant};

const USAGE: &str =
    "host agent.toml facts | group | pulse | packages | storage | service | words | log | digest | follow
  fetch V... | install V | repair | hold | unhold
  maintain | unmaintain | hold-down | let-up | backup NAME | restore-config NAME
  snapshot NAME | verify NAME | restore NAME | drop NAME
  start | stop | join | leave | read-only | appoint UUID";

async fn pins(host: &Host, version: &str) -> anyhow::Result<Vec<PackagePin>> {
    let version = PackageVersion::new(version)?;
    let facts = host.packages.facts().await?;
    let mut pins = facts.available;
    pins.retain(|pin| pin.version == version);
    if pins.is_empty() {
        // To see what is said of a version that nobody has.
        pins.extend(facts.installed.into_keys().map(|name| PackagePin {
            name,
            version: version.clone(),
            sha256: "0".repeat(64),
        }));
    }
    Ok(pins)
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let [config, command, rest @ ..] = args.as_slice() else {
        anyhow::bail!(USAGE);
    };
    let config = AgentConfig::load(Path::new(config))?;
    let host = Host::production(&config);
    let (phase, mut progress) = Phase::new();
    let began = Instant::now();
    let shown = tokio::spawn(async move {
        while progress.changed().await.is_ok() {
            let now = progress.borrow_and_update().clone();
            eprintln!("  {:?} {:?}", now.phase, now.percent);
        }
    });
    let name = rest.first().copied().unwrap_or("trial");
    let long = Duration::from_secs(120);
    match *command {
        "facts" => println!("{:#?}", host.mysql.facts().await?),
        "group" => println!("{:#?}", host.mysql.group().await?),
        "pulse" => println!("{:#?}", host.mysql.pulse().await?),
        "packages" => println!("{:#?}", host.packages.facts().await?),
        "storage" => println!("{:#?}", host.files.storage().await?),
        "service" => println!(
            "{:?} {:?}",
            host.service.state().await?,
            host.service.main_pid().await?
        ),
        "words" => println!("{:#?}", host.service.last_words().await?),
        "digest" => println!("{}", host.files.config_digest().await?),
        "log" => {
            let log = host.files.error_log().await?;
            let shutdown = last_shutdown(&log)?;
            println!(
                "{}: clean {} {:?}",
                log.display(),
                shutdown.is_clean(),
                shutdown.version()
            );
        }
        "follow" => {
            let mut follower = Follower::from_end(&host.files.error_log().await?)?;
            let mut startup = Startup::new();
            let mut tick = tokio::time::interval(Duration::from_millis(50));
            while began.elapsed() < long && !startup.verdict(true).is_final() {
                tick.tick().await;
                for line in follower.lines()? {
                    let before = startup.verdict(true);
                    startup.feed(&line);
                    if startup.verdict(true) != before {
                        println!("{:?} {}", began.elapsed(), startup.verdict(true));
                    }
                }
            }
        }
        "fetch" => {
            for version in rest {
                let pins = pins(&host, version).await?;
                host.packages.fetch(&pins, &phase).await?;
                host.packages.verify_fetched(&pins).await?;
            }
        }
        "install" => {
            host.packages
                .install(&pins(&host, name).await?, &phase)
                .await?;
        }
        "repair" => host.packages.repair(&phase).await?,
        "hold" => host.packages.set_held(&config.packages, true).await?,
        "unhold" => host.packages.set_held(&config.packages, false).await?,
        "maintain" => {
            host.files.write_maintenance().await?;
            host.service.reload_units().await?;
        }
        "unmaintain" => {
            host.files.remove_maintenance().await?;
            host.service.reload_units().await?;
        }
        "hold-down" => host.files.set_hold(true).await?,
        "let-up" => host.files.set_hold(false).await?,
        "backup" => host.files.back_up_config(name).await?,
        "restore-config" => host.files.restore_config(name).await?,
        "snapshot" => println!("{:?}", host.files.take_snapshot(name, &phase).await?),
        "verify" => println!("{}", host.files.verify_snapshot(name).await?),
        "restore" => host.files.restore_snapshot(name, &phase).await?,
        "drop" => host.files.drop_snapshot(name).await?,
        "start" => host.service.begin_start().await?,
        "stop" => host.service.begin_stop().await?,
        "leave" => {
            host.mysql.set_super_read_only(true).await?;
            host.mysql.stop_group_replication(long).await?;
        }
        "join" => host.mysql.start_group_replication(long).await?,
        "read-only" => println!("{}", host.mysql.super_read_only().await?),
        "appoint" => {
            host.mysql
                .appoint_primary(&ServerUuid::new(name)?, long)
                .await?
        }
        _ => anyhow::bail!(USAGE),
    }
    eprintln!("  {command}: {:?}", began.elapsed());
    shown.abort();
    Ok(())
}
