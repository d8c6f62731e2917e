//! Events and results in, files and text out: one file a format. `out` knows the formats that are
//! files, `file` where they go, and [`plain`] the words and numbers people read in all of them.

mod capacity;
mod conform;
mod file;
mod hgrm;
mod journal;
mod json;
mod live;
mod out;
mod pcapng;
pub mod plain;
mod plan;
mod probe;
mod seconds;
mod text;

pub use capacity::{capacity_record, curve_heading, curve_line, render_capacity};
pub use conform::{case_lines, case_records, check_lines, conform_footer, conform_record, conversation};
pub use file::{OutFile, Patient, abandon};
pub use journal::Journal;
pub use json::{RunHeader, RunRecord};
pub use live::Live;
pub use out::{Format, OutSpec, Reporter};
pub use pcapng::Recorder;
pub use plan::{arrival_line, lifecycle_line, render_plan};
pub use probe::{ProbeReport, Subject};
pub use seconds::Seconds;
pub use text::{render_footer, render_header, render_heading, render_notes, render_scenario};
