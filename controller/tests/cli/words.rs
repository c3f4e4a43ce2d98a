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
