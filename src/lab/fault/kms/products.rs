//! Faults of what is served (protocol description, sections 5 and 6).

use crate::catalog::{self, Application, Channel};
use crate::lab::fault::{Fault, Install};
use crate::lab::rules::Rule;
use crate::wire::Hresult;

pub(super) static FAULTS: &[Fault] = &[
    Fault {
        name: "ignores-application",
        does: "Serves a counted id of the catalogue whichever application the client names.",
        hurts: "The admin: machines are counted in an application that is not theirs.",
        caught_by: &["kms/policy/application#code"],
        install: Install::Answers(|host, _| {
            host.rule(Rule::Product, |asked, honest| {
                let mut sharing = catalog::by_counted_id(asked.request.kms_counted_id);
                if sharing.any(|product| product.channel == Channel::Volume) { Ok(()) } else { honest }
            });
        }),
    },
    Fault {
        name: "serves-everything",
        does: "Serves every product: retail ones, unknown ones, and those of another application too.",
        hurts: "The admin: products without a volume licence are activated.",
        caught_by: &["kms/policy/unknown-product#reply"],
        install: Install::Answers(|host, _| host.rule(Rule::Product, |_, _| Ok(()))),
    },
    Fault {
        name: "serves-no-office",
        does: "Serves Windows alone and refuses every Office, as a host without an Office host key.",
        hurts: "Office clients: they are refused with 0xC004F042.",
        caught_by: &[],
        install: Install::Answers(|host, _| {
            host.rule(Rule::Product, |asked, honest| match asked.request.application_id {
                windows if windows == Application::Windows.guid() => honest,
                _ => Err(Hresult::KMS_ID_MISMATCH),
            });
        }),
    },
    Fault {
        name: "serves-no-windows",
        does: "Serves Office alone and refuses every Windows, as a host with no key but one for Office.",
        hurts: "Windows clients: they are refused with 0xC004F042.",
        caught_by: &["rpc/transport/control"],
        install: Install::Answers(|host, _| {
            host.rule(Rule::Product, |asked, honest| match asked.request.application_id {
                windows if windows == Application::Windows.guid() => Err(Hresult::KMS_ID_MISMATCH),
                _ => honest,
            });
        }),
    },
    Fault {
        name: "wrong-code-for-product",
        does: "Refuses a product it does not serve with 0xC004F015, not 0xC004F042.",
        hurts: "The admin: the code says that the client lacks a license, and so the search begins at the wrong end.",
        caught_by: &["kms/policy/unknown-product#code", "kms/policy/application#code"],
        install: Install::Answers(|host, _| {
            host.rule(Rule::Product, |_, honest| honest.map_err(|_| Hresult::SKU_NOT_INSTALLED));
        }),
    },
];
