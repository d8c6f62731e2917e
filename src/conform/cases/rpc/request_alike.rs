//! Calls and faults that are the same in whatever way the call comes: what is wrong with a call depends on the call.

use crate::conform::cases::alike::{
    AFTER_ALTERS, AFTER_FAULTS, ALL_AT_ONCE, BIG_ENDIAN, IN_A_GROUP, IN_A_HIGH_CONTEXT, IN_EITHER_SYNTAX, MULTIPLEXED,
    NO_OPERATION, Put, Question, WITH_OBJECTS, answered_alike,
};
use crate::conform::{Case, Confidence, Level};

pub(super) static CASES: &[Case] = &[
    Case::new(
        "rpc/request/alike-in-either-syntax",
        Level::Win,
        "the same calls and faults: either syntax",
        "A call is served, and one that cannot be made is answered with the same fault and leaves the connection as it does else, in NDR64 as in NDR32.",
        "C706 sections 12.6.3 and 12.6.4: none of this has to do with what is called",
        |t| answered_alike(t, &IN_EITHER_SYNTAX, QUESTIONS),
    )
    .confidence(Confidence::Medium),
    Case::new(
        "rpc/request/alike-multiplexed",
        Level::Win,
        "the same calls and faults: several calls at once agreed on",
        "A call is served, and one that cannot be made is answered with the same fault and leaves the connection as it does else, where several calls at once were agreed on.",
        "C706 sections 12.6.3 and 12.6.4: none of this has to do with what is called",
        |t| answered_alike(t, &MULTIPLEXED, QUESTIONS),
    )
    .confidence(Confidence::Medium),
    Case::new(
        "rpc/request/alike-in-a-group",
        Level::Win,
        "the same calls and faults: a connection that joined a group",
        "A call is served, and one that cannot be made is answered with the same fault and leaves the connection as it does else, on a connection that joined an association group.",
        "C706 sections 12.6.3 and 12.6.4: none of this has to do with what is called",
        |t| answered_alike(t, &IN_A_GROUP, QUESTIONS),
    )
    .confidence(Confidence::Medium),
    Case::new(
        "rpc/request/alike-big-endian",
        Level::Win,
        "the same calls and faults: both byte orders",
        "A call is served, and one that cannot be made is answered with the same fault and leaves the connection as it does else, in big endian, in one piece, in fragments and with an object UUID.",
        "C706 sections 12.6.3 and 12.6.4: none of this has to do with what is called",
        |t| answered_alike(t, &BIG_ENDIAN, QUESTIONS),
    )
    .confidence(Confidence::Medium),
    Case::new(
        "rpc/request/alike-with-objects",
        Level::Win,
        "the same calls and faults: an object UUID",
        "A call is served, and one that cannot be made is answered with the same fault and leaves the connection as it does else, with an object UUID.",
        "C706 sections 12.6.3 and 12.6.4: none of this has to do with what is called",
        |t| answered_alike(t, &WITH_OBJECTS, QUESTIONS),
    )
    .confidence(Confidence::Medium),
    Case::new(
        "rpc/request/alike-after-alters",
        Level::Win,
        "the same calls and faults: a context added late",
        "A call is served, and one that cannot be made is answered with the same fault and leaves the connection as it does else, in a context that the third of three alter_contexts added.",
        "C706 sections 12.6.3 and 12.6.4: none of this has to do with what is called",
        |t| answered_alike(t, &AFTER_ALTERS, QUESTIONS),
    )
    .confidence(Confidence::Medium),
    Case::new(
        "rpc/request/alike-in-a-high-context",
        Level::Win,
        "the same calls and faults: a context of a high number",
        "A call is served, and one that cannot be made is answered with the same fault and leaves the connection as it does else, in a context whose number takes both of its bytes.",
        "C706 sections 12.6.3 and 12.6.4: none of this has to do with what is called",
        |t| answered_alike(t, &IN_A_HIGH_CONTEXT, QUESTIONS),
    )
    .confidence(Confidence::Medium),
    Case::new(
        "rpc/request/alike-after-faults",
        Level::Win,
        "the same calls and faults: a connection with faults behind it",
        "A call is served, and one that cannot be made is answered with the same fault and leaves the connection as it does else, on a connection with ever more faults behind it.",
        "C706 sections 12.6.3 and 12.6.4: none of this has to do with what is called",
        |t| answered_alike(t, &AFTER_FAULTS, QUESTIONS),
    )
    .confidence(Confidence::Medium),
    Case::new(
        "rpc/request/alike-all-at-once",
        Level::Win,
        "the same calls and faults: all of that at once",
        "A call is served, and one that cannot be made is answered with the same fault and leaves the connection as it does else, in a group, with several calls at once, in a context added late, after faults, in fragments and with an object UUID.",
        "C706 sections 12.6.3 and 12.6.4: none of this has to do with what is called",
        |t| answered_alike(t, &ALL_AT_ONCE, QUESTIONS),
    )
    .confidence(Confidence::Medium),
];

/// Calls that can be made, and others that cannot.
const QUESTIONS: &[Question] = &[
    ("an ordinary call", Put::Ordinary),
    ("an operation that there is not", Put::Operation(NO_OPERATION)),
    ("an ordinary call afterwards", Put::Ordinary),
    ("an operation whose number ends in zeros", Put::Operation(0x0400)),
    ("a context that nobody agreed on", Put::Beyond(9)),
    ("an operation that there is not, again", Put::Operation(NO_OPERATION)),
    ("a context whose number ends alike", Put::Beyond(0x100)),
    ("another ordinary call", Put::Ordinary),
];
