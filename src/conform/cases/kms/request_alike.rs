//! Grants, refusals and faults that are the same in whatever way a request comes: hosts have code of their own for
//! each way, and for each version (protocol description, sections 1 and 5).

use super::tools::{OFFICE, V4, V5, V6, ahead, of, product};
use crate::catalog::Application;
use crate::conform::cases::alike::{
    AFTER_ALTERS, AFTER_FAULTS, AFTER_REFUSALS, ALL_AT_ONCE, BIG_ENDIAN, IN_A_GROUP, IN_A_HIGH_CONTEXT, IN_FRAGMENTS,
    MULTIPLEXED, NO_VERSION, Put, Question, WITH_OBJECTS, answered_alike,
};
use crate::conform::{Case, Confidence, Level};
use crate::wire::Guid;
use crate::wire::kms::{ActivationRequest, LicenseStatus, ProtocolVersion};

pub(super) static CASES: &[Case] = &[
    Case::new(
        "kms/request/alike-multiplexed",
        Level::Win,
        "the same answers: several calls at once agreed on",
        "A request is granted and counted, or refused with the same code, and its connection goes on, where several calls at once were agreed on.",
        "C706 sections 12.6.3 and 12.6.4: how a call comes has nothing to do with what is answered",
        |t| answered_alike(t, &MULTIPLEXED, QUESTIONS),
    )
    .of_kms()
    .confidence(Confidence::Medium)
    // Whoever counts another machine meanwhile changes the count.
    .alone(),
    Case::new(
        "kms/request/alike-in-a-group",
        Level::Win,
        "the same answers: a connection that joined a group",
        "A request is granted and counted, or refused with the same code, and its connection goes on, on a connection that joined an association group.",
        "C706 sections 12.6.3 and 12.6.4: how a call comes has nothing to do with what is answered",
        |t| answered_alike(t, &IN_A_GROUP, QUESTIONS),
    )
    .of_kms()
    .confidence(Confidence::Medium)
    // Whoever counts another machine meanwhile changes the count.
    .alone(),
    Case::new(
        "kms/request/alike-big-endian",
        Level::Win,
        "the same answers: both byte orders",
        "A request is granted and counted, or refused with the same code, and its connection goes on, in big endian, in one piece, in fragments and with an object UUID.",
        "C706 sections 12.6.3 and 12.6.4: how a call comes has nothing to do with what is answered",
        |t| answered_alike(t, &BIG_ENDIAN, QUESTIONS),
    )
    .of_kms()
    .confidence(Confidence::Medium)
    // Whoever counts another machine meanwhile changes the count.
    .alone(),
    Case::new(
        "kms/request/alike-in-fragments",
        Level::Win,
        "the same answers: a request in fragments",
        "A request is granted and counted, or refused with the same code, and its connection goes on, in fragments.",
        "C706 sections 12.6.3 and 12.6.4: how a call comes has nothing to do with what is answered",
        |t| answered_alike(t, &IN_FRAGMENTS, QUESTIONS),
    )
    .of_kms()
    .confidence(Confidence::Medium)
    // Whoever counts another machine meanwhile changes the count.
    .alone(),
    Case::new(
        "kms/request/alike-with-objects",
        Level::Win,
        "the same answers: a request with an object UUID",
        "A request is granted and counted, or refused with the same code, and its connection goes on, with an object UUID.",
        "C706 sections 12.6.3 and 12.6.4: how a call comes has nothing to do with what is answered",
        |t| answered_alike(t, &WITH_OBJECTS, QUESTIONS),
    )
    .of_kms()
    .confidence(Confidence::Medium)
    // Whoever counts another machine meanwhile changes the count.
    .alone(),
    Case::new(
        "kms/request/alike-after-alters",
        Level::Win,
        "the same answers: a context added late",
        "A request is granted and counted, or refused with the same code, and its connection goes on, in a context that the third of three alter_contexts added.",
        "C706 sections 12.6.3 and 12.6.4: how a call comes has nothing to do with what is answered",
        |t| answered_alike(t, &AFTER_ALTERS, QUESTIONS),
    )
    .of_kms()
    .confidence(Confidence::Medium)
    // Whoever counts another machine meanwhile changes the count.
    .alone(),
    Case::new(
        "kms/request/alike-in-a-high-context",
        Level::Win,
        "the same answers: a context of a high number",
        "A request is granted and counted, or refused with the same code, and its connection goes on, in a context whose number takes both of its bytes.",
        "C706 sections 12.6.3 and 12.6.4: how a call comes has nothing to do with what is answered",
        |t| answered_alike(t, &IN_A_HIGH_CONTEXT, QUESTIONS),
    )
    .of_kms()
    .confidence(Confidence::Medium)
    // Whoever counts another machine meanwhile changes the count.
    .alone(),
    Case::new(
        "kms/request/alike-after-faults",
        Level::Win,
        "the same answers: a connection with faults behind it",
        "A request is granted and counted, or refused with the same code, and its connection goes on, on a connection with ever more faults behind it.",
        "C706 sections 12.6.3 and 12.6.4: how a call comes has nothing to do with what is answered",
        |t| answered_alike(t, &AFTER_FAULTS, QUESTIONS),
    )
    .of_kms()
    .confidence(Confidence::Medium)
    // Whoever counts another machine meanwhile changes the count.
    .alone(),
    Case::new(
        "kms/request/alike-after-refusals",
        Level::Win,
        "the same answers: a connection with refusals behind it",
        "A request is granted and counted, or refused with the same code, and its connection goes on, on a connection with ever more refusals behind it.",
        "C706 sections 12.6.3 and 12.6.4: how a call comes has nothing to do with what is answered",
        |t| answered_alike(t, &AFTER_REFUSALS, QUESTIONS),
    )
    .of_kms()
    .confidence(Confidence::Medium)
    // Whoever counts another machine meanwhile changes the count.
    .alone(),
    Case::new(
        "kms/request/alike-all-at-once",
        Level::Win,
        "the same answers: all of that at once",
        "A request is granted and counted, or refused with the same code, and its connection goes on, in a group, with several calls at once, in a context added late, after faults, in fragments and with an object UUID.",
        "C706 sections 12.6.3 and 12.6.4: how a call comes has nothing to do with what is answered",
        |t| answered_alike(t, &ALL_AT_ONCE, QUESTIONS),
    )
    .of_kms()
    .confidence(Confidence::Medium)
    // Whoever counts another machine meanwhile changes the count.
    .alone(),
];

/// Requests that are granted, that are refused, and that cannot be read, in each version.
pub const QUESTIONS: &[Question] = &[
    ("version 6", Put::Asked(V6, |_| {})),
    ("version 5", Put::Asked(V5, |_| {})),
    ("version 4", Put::Asked(V4, |_| {})),
    ("a licensed virtual machine", Put::Asked(V6, |request| licensed(request, 1))),
    ("a licensed machine in version 4", Put::Asked(V4, |request| licensed(request, 0))),
    ("Office in version 5", Put::Asked(V5, |request| of(request, product(OFFICE)))),
    ("a product nobody knows", Put::Asked(V6, unknown)),
    ("such a product in version 5", Put::Asked(V5, unknown)),
    ("such a product in version 4", Put::Asked(V4, unknown)),
    ("a Windows product of Office", Put::Asked(V6, |request| request.application_id = Application::Office.guid())),
    ("a clock ten hours ahead", Put::Asked(V6, |request| ahead(request, 10))),
    ("a clock five hours behind in version 5", Put::Asked(V5, |request| ahead(request, -5))),
    ("a clock five hours behind in version 4", Put::Asked(V4, |request| ahead(request, -5))),
    ("version 7.0", Put::Asked(NO_VERSION, |_| {})),
    ("version 6.1", Put::Asked(ProtocolVersion { major: 6, minor: 1 }, |_| {})),
    ("an envelope of version 6 cut short", Put::Sealed(V6, |payload| payload.truncate(36))),
    ("an envelope of version 4 cut short", Put::Sealed(V4, |payload| payload.truncate(100))),
    ("a stub with half of a request", Put::Stub(|stub| stub.truncate(stub.len() / 2))),
    ("no stub at all", Put::Stub(Vec::clear)),
    ("version 6 afterwards", Put::Asked(V6, |_| {})),
];

fn licensed(request: &mut ActivationRequest, is_vm: u32) {
    (request.license_status, request.is_vm) = (LicenseStatus::LICENSED, is_vm);
}

fn unknown(request: &mut ActivationRequest) {
    request.kms_counted_id = Guid::from_u128(7);
}
