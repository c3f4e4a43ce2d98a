//! Colour and escape codes: only where they belong.

use crate::samples;
use refit_controller::cli::render::{self, Style};

#[test]
fn without_colour_no_view_has_an_escape_code_and_with_it_only_colour_is_added() {
    let mut half = samples::half_way();
    half.writes.gap_ms = Some(5);
    let lines = [samples::line(0, "rollout_created", "rollout of shop", None)];
    let views: [&dyn Fn(Style) -> String; 7] = [
        &|style| render::fleet::text(&samples::fleet(), style),
        &|style| render::plan::text(&samples::plan(), style),
        &|style| render::rollout::whole(&half, style),
        &|style| render::rollout::list(&[half.summary.clone()], style),
        &|style| render::audit::text(&lines, 0, true, style),
        &|style| render::progress::block(&half, half.at_unix_ms, None, None, style, 200).join("\n"),
        &|style| render::progress::change(&lines[0], &half, style),
    ];
    for view in views {
        let plain = view(Style::PLAIN);
        assert!(!plain.contains('\x1b'), "{plain:?}");
        let coloured = view(Style::new(true));
        assert!(coloured.contains('\x1b'), "{coloured:?}");
        let mut stripped = String::new();
        let mut rest = coloured.as_str();
        while let Some((before, after)) = rest.split_once("\x1b[") {
            stripped.push_str(before);
            rest = after.split_once('m').unwrap().1;
        }
        stripped.push_str(rest);
        assert_eq!(stripped, plain);
    }
}

#[test]
fn what_a_host_says_cannot_steer_the_terminal() {
    let mut fleet = samples::fleet();
    fleet[0].members[0]
        .notes
        .push("\x1b[2Jgone\r\nfake line".to_owned());
    let text = render::fleet::text(&fleet, Style::PLAIN);
    assert!(!text.contains('\x1b') && !text.contains('\r'), "{text:?}");
    assert!(!text.contains("\nfake line"), "{text:?}");
}

#[test]
fn the_block_fits_the_terminal() {
    let view = samples::half_way();
    for width in [20, 40, 80] {
        for line in render::progress::block(
            &view,
            view.at_unix_ms,
            None,
            Some("no route"),
            Style::PLAIN,
            width,
        ) {
            assert!(line.chars().count() <= width, "{width}: {line:?}");
        }
    }
}

#[test]
fn views_come_over_the_wire_as_they_are() {
    use refit_proto::operator::{ClusterView, LineView, RolloutView, wire};
    let mut parked = samples::half_way();
    let step = parked.steps.last_mut().unwrap();
    step.failure = Some(refit_shared::receipt::Failure::partial(
        refit_shared::receipt::FailureCode::ServerDied,
        "it died",
    ));
    step.finalize = true;
    parked.summary.why = "because".to_owned();
    for view in [samples::rollout(), parked, samples::upgraded()] {
        let back = RolloutView::try_from(wire::Rollout::from(view.clone()));
        assert_eq!(back, Ok(view));
    }
    for view in samples::fleet() {
        let back = ClusterView::try_from(wire::Cluster::from(view.clone()));
        assert_eq!(back, Ok(view));
    }
    let line = samples::line(3, "rollout_created", "x", Some(2));
    assert_eq!(
        LineView::try_from(wire::JournalLine::from(line.clone())),
        Ok(line)
    );

    // What a newer peer may send is an error, not something harmless.
    let mut newer = wire::Rollout::from(samples::rollout());
    newer.steps[0].state = 99;
    assert!(RolloutView::try_from(newer).is_err());
    let mut newer = wire::Cluster::from(samples::fleet().remove(0));
    newer.members[0].state = 99;
    assert!(ClusterView::try_from(newer).is_err());
}
