//! Recordings of `conform`: what the client sends there is a case's stimulus, and no mistake of anybody's.

use crate::capture::Conversation;
use crate::conform::{Case, cases};
use crate::proto::verify::CheckId;

/// The case whose conversation this is, by the comments of its packets.
pub(super) fn case_of(conversation: &Conversation) -> Option<&'static Case> {
    conversation.comments.iter().find_map(|comment| cases::all().find(|case| case.id == comment))
}

/// Checks that ask whether an answer is the right one to what was sent: of what a case sends only the case knows
/// that. All others ask whether an answer is right in itself.
pub(super) const LEFT_TO_CASES: [CheckId; 5] =
    [CheckId::Answered, CheckId::NothingUnasked, CheckId::ExpectedKind, CheckId::BindAccepted, CheckId::NoFault];

/// Said once of a file that has such conversations.
pub(super) const NOTE: &str = "note: recorded by kmsproof conform: what the client sends is the stimulus of a case, malformed \
    or not, and whether an answer is the right one to it, the case judges (kmsproof explain ID)";
