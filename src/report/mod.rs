//! Events and results in, files and text out: one file a format.

mod journal;
mod json;
mod out;
mod pcapng;
pub mod plain;
mod plan;
mod probe;
mod text;

pub use journal::Journal;
pub use json::{RunHeader, RunRecord};
pub use out::{Format, OutFile, OutSpec, Patient, Reporter};
pub use pcapng::Recorder;
pub use plan::{arrival_line, render_plan};
pub use probe::{ProbeReport, Subject};
pub use text::{render_footer, render_header, render_heading, render_scenario};
