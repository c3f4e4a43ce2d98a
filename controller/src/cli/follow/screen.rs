//! Where progress goes: a block that is redrawn in place on a terminal, else a line a change (or a JSON document a line).

use crate::cli::failure::Failure;
use crate::cli::output::Output;
use crate::cli::render::progress;
use crate::cli::writer::WriterStatus;
use refit_proto::operator::{LineView, RolloutView};
use std::time::Instant;

/// Used where the terminal does not tell.
const USUAL: (usize, usize) = (80, 24);

#[derive(Debug)]
pub struct Screen {
    output: Output,
    /// The latest picture, and when it came.
    latest: Option<(RolloutView, Instant)>,
    /// Lines of the block that are on the terminal now.
    drawn: usize,
    writer: Option<Result<WriterStatus, String>>,
    lost: Option<String>,
}

impl Screen {
    pub fn new(output: Output) -> Self {
        Self {
            output,
            latest: None,
            drawn: 0,
            writer: None,
            lost: None,
        }
    }

    /// Something has been journalled: it stays on the screen.
    pub fn line(&mut self, line: &LineView, rollout: &RolloutView) {
        if self.output.json {
            let document = serde_json::json!({ "line": line });
            return self.output.print(&format!("{document}\n"));
        }
        let style = self.output.style;
        let text = if self.output.is_terminal() {
            progress::finished(line, rollout, style)
        } else {
            Some(progress::change(line, rollout, style))
        };
        if let Some(text) = text {
            let erased = self.erase();
            self.output.print(&format!("{erased}{text}\n"));
        }
    }

    pub fn update(&mut self, rollout: RolloutView) {
        if self.lost.take().is_some() && !self.output.json && !self.output.is_terminal() {
            self.output.print("connected to the controller again\n");
        }
        self.latest = Some((rollout, Instant::now()));
        self.draw();
    }

    /// The controller can't be reached for now. Said once, until it is back.
    pub fn lost(&mut self, failure: &Failure) {
        if self.lost.is_none() && !self.output.is_terminal() {
            self.output.remark(&format!(
                "the controller can't be reached, trying again: {}",
                failure.what
            ));
        }
        self.lost = Some(failure.what.clone());
        self.draw();
    }

    pub fn redraw(&mut self, writer: Option<&Result<WriterStatus, String>>) {
        self.writer = writer.cloned();
        self.draw();
    }

    /// Takes the block away; what was journalled stays.
    pub fn clear(&mut self) {
        let erased = self.erase();
        self.output.print(&erased);
    }

    fn draw(&mut self) {
        let Some((rollout, came)) = &self.latest else {
            return;
        };
        if !self.output.is_terminal() {
            return;
        }
        let since = i64::try_from(came.elapsed().as_millis()).unwrap_or(i64::MAX);
        let now = rollout.at_unix_ms.saturating_add(since);
        let (width, height) = size();
        let block = progress::block(
            rollout,
            now,
            self.writer.as_ref(),
            self.lost.as_deref(),
            self.output.style,
            width,
        );
        // A block higher than the terminal could not be taken away again.
        let block = &block[..block.len().min(height.saturating_sub(1))];
        let mut text = self.erase();
        for line in block {
            text.push_str(line);
            text.push('\n');
        }
        self.drawn = block.len();
        self.output.print(&text);
    }

    /// What takes the present block away.
    fn erase(&mut self) -> String {
        match std::mem::take(&mut self.drawn) {
            0 => String::new(),
            lines => format!("\x1b[{lines}A\r\x1b[J"),
        }
    }
}

fn size() -> (usize, usize) {
    match rustix::termios::tcgetwinsize(std::io::stdout()) {
        Ok(size) if size.ws_col > 0 && size.ws_row > 0 => {
            (usize::from(size.ws_col), usize::from(size.ws_row))
        }
        _ => USUAL,
    }
}
