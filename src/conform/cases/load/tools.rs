//! What cases of many clients have in common.

use crate::conform::accept::{Grade, judge};
use crate::conform::cases::rpc::tools::SERVED_NEXT;
use crate::conform::cases::rpc::tools::bind_together;
use crate::conform::{Stop, Talk};

/// So many connections, each of them bound.
pub fn bind_many(t: &mut Talk<'_>, many: usize) -> Result<Vec<usize>, Stop> {
    if t.is_slow() {
        return bind_together(t, many);
    }
    let mut lines = Vec::new();
    for _ in 0..many {
        t.bind()?;
        lines.push(t.line());
    }
    Ok(lines)
}

/// Holds the next answer against what every client is due; whether there is reason to go on.
pub fn is_served(t: &mut Talk<'_>, label: &str) -> bool {
    let seen = t.expect_next(label, SERVED_NEXT);
    judge(&seen, SERVED_NEXT) == Ok(Grade::Ok)
}
