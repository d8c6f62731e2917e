//! Faults of the protocol version (protocol description, sections 2, 4 and 5).

use crate::lab::conduct::Conduct;
use crate::lab::fault::{Fault, Install};
use crate::lab::rules::Rule;
use crate::wire::Hresult;
use crate::wire::kms::ProtocolVersion;

pub(super) static FAULTS: &[Fault] = &[
    Fault {
        name: "accepts-any-version",
        does: "Grants a request whose protocol version does not exist, and answers in that version.",
        hurts: "Clients to come: they are answered in a form that this host cannot know.",
        caught_by: &["kms/request/unknown-version#code", "kms/request/minor-version#code"],
        install: Install::Answers(|host, _| {
            host.opens_any_version = true;
            host.rule(Rule::Version, |_, _| Ok(()));
        }),
    },
    Fault {
        name: "knows-only-v4",
        does: "Refuses versions 5.0 and 6.0 with 0x8007000D, as a host of 2008.",
        hurts: "Windows 8, Office 2013 and everything later.",
        caught_by: &["kms/request/v6#code"],
        install: Install::Answers(|host, _| refuse(host, |version| version != ProtocolVersion::V4)),
    },
    Fault {
        name: "refuses-v4",
        does: "Refuses version 4.0 with 0x8007000D.",
        hurts: "Windows Vista to 7, Windows Server 2008 and 2008 R2, and Office 2010.",
        caught_by: &["kms/request/v4#code"],
        install: Install::Answers(|host, _| refuse(host, |version| version == ProtocolVersion::V4)),
    },
    Fault {
        name: "refuses-v5",
        does: "Refuses version 5.0 with 0x8007000D.",
        hurts: "Windows 8, Windows Server 2012 and Office 2013.",
        caught_by: &["kms/request/v5#code"],
        install: Install::Answers(|host, _| refuse(host, |version| version == ProtocolVersion::V5)),
    },
    Fault {
        name: "refuses-v6",
        does: "Refuses version 6.0 with 0x8007000D, as a host of before Windows 8.1.",
        hurts: "Windows 8.1, Windows Server 2012 R2, Office 2016 and everything later.",
        caught_by: &["kms/request/v6#code"],
        install: Install::Answers(|host, _| refuse(host, |version| version == ProtocolVersion::V6)),
    },
    Fault {
        name: "wrong-code-for-version",
        does: "Refuses a protocol version that does not exist with 0xC004F042, not 0x8007000D.",
        hurts: "The admin of a host that is too old for its clients: the code says that its host key is wrong.",
        caught_by: &["kms/request/unknown-version#code", "kms/request/minor-version#code"],
        install: Install::Answers(|host, _| {
            host.opens_any_version = true;
            host.rule(Rule::Version, |_, honest| honest.map_err(|_| Hresult::KMS_ID_MISMATCH));
        }),
    },
];

fn refuse(host: &mut Conduct, refused: fn(ProtocolVersion) -> bool) {
    host.rule(Rule::Version, move |asked, honest| match refused(asked.request.version) {
        true => Err(Hresult::INVALID_DATA),
        false => honest,
    });
}
