//! Faults of what is asked for beyond product and clock, which an honest host only notes (protocol description, section 6).

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::catalog;
use crate::lab::conduct::Conduct;
use crate::lab::fault::{Fault, Install};
use crate::lab::rules::Rule;
use crate::wire::kms::{ActivationRequest, LicenseStatus, ProtocolVersion};
use crate::wire::{Guid, Hresult};

pub(super) static FAULTS: &[Fault] = &[
    Fault {
        name: "counts-previous-ids",
        does: "Counts a machine once more when it names the client machine id it had before.",
        hurts: "The admin: machines that were given a new id stand twice in the count.",
        caught_by: &["kms/policy/previous-cmid#count"],
        install: Install::Answers(|host, _| {
            let has_previous = Arc::new(AtomicBool::new(false));
            let noticed = Arc::clone(&has_previous);
            host.rule(Rule::Machine, move |asked, honest| {
                noticed.store(asked.request.previous_cmid != Guid::NIL, Ordering::Relaxed);
                honest
            });
            host.tell(move |_, count| count + u32::from(has_previous.load(Ordering::Relaxed)));
        }),
    },
    Fault {
        name: "decides-by-sku",
        does: "Refuses a SKU id that is not in its list, though it serves the KMS counted id.",
        hurts: "Editions newer than the host's list: they are refused, though their counted id is served.",
        caught_by: &["kms/policy/sku#code"],
        install: Install::Answers(|host, _| {
            host.rule(Rule::Product, |asked, honest| {
                honest?;
                match catalog::by_sku_id(asked.request.sku_id).next() {
                    Some(_) => Ok(()),
                    None => Err(Hresult::KMS_ID_MISMATCH),
                }
            });
        }),
    },
    Fault {
        name: "ignores-minor-version",
        does: "Grants a request whose minor version does not exist, and answers in that version.",
        hurts: "Clients to come: they are answered in a form that this host cannot know.",
        caught_by: &["kms/request/minor-version#code"],
        install: Install::Answers(|host, _| {
            host.opens_any_version = true;
            host.rule(Rule::Version, |asked, honest| match asked.request.version.major {
                4..=6 => Ok(()),
                _ => honest,
            });
        }),
    },
    Fault {
        name: "refuses-bytes-after-name",
        does: "Refuses a machine with anything after the NUL of its name, with 0x8007000D.",
        hurts: "Clients that do not clear what they send: they are never activated.",
        caught_by: &["kms/request/bytes-after-name#code"],
        install: Install::Answers(|host, _| {
            refuse(host, |request| {
                let after_nul = request.workstation.units().iter().skip_while(|unit| **unit != 0);
                after_nul.into_iter().any(|unit| *unit != 0)
            });
        }),
    },
    Fault {
        name: "refuses-characters-of-two-units",
        does: "Refuses a machine whose name holds a character beyond the first 65,536, with 0x8007000D.",
        hurts: "Machines with rare Chinese characters in their names: they are never activated, for a comment.",
        caught_by: &["kms/request/any-name#code"],
        install: Install::Answers(|host, _| {
            refuse(host, |request| {
                let name = request.workstation.units().iter().take_while(|unit| **unit != 0);
                char::decode_utf16(name.copied()).flatten().any(|letter| letter > '\u{ffff}')
            });
        }),
    },
    Fault {
        name: "refuses-controls-in-names",
        does: "Refuses a machine whose name holds a control character, with 0x8007000D.",
        hurts: "Such a machine: it is never activated, for a comment.",
        caught_by: &["kms/request/controls-in-name#code"],
        install: Install::Answers(|host, _| {
            refuse(host, |request| {
                let name = request.workstation.units().iter().take_while(|unit| **unit != 0);
                name.into_iter().any(|unit| *unit < 0x20)
            });
        }),
    },
    Fault {
        name: "refuses-elapsed-grace",
        does: "Refuses a machine that has no minutes left, with 0x8007000D.",
        hurts: "Machines whose grace ran out: they can never be activated again.",
        caught_by: &["kms/request/grace-minutes#code"],
        install: Install::Answers(|host, _| refuse(host, |request| request.binding_expiration_min == 0)),
    },
    Fault {
        name: "refuses-high-flags",
        does: "Refuses a machine whose virtual machine flag is more than a byte holds, with 0x8007000D.",
        hurts: "Clients that say with another number that they are virtual: they are never activated.",
        caught_by: &["kms/request/vm-flag#reply"],
        install: Install::Answers(|host, _| refuse(host, |request| request.is_vm > 0xff)),
    },
    Fault {
        name: "refuses-large-n",
        does: "Refuses an N policy of more than 100, with 0x8007000D.",
        hurts: "A product whose N policy is larger: none of its clients is ever activated.",
        caught_by: &["kms/policy/large-n#code"],
        install: Install::Answers(|host, _| {
            host.rule(Rule::NPolicy, |asked, honest| match asked.request.n_policy {
                101.. => Err(Hresult::INVALID_DATA),
                _ => honest,
            });
        }),
    },
    Fault {
        name: "refuses-long-names",
        does: "Refuses a machine whose name is longer than 32 characters, with 0x8007000D.",
        hurts: "Machines with long DNS names: they are never activated.",
        caught_by: &["kms/request/longest-name#code"],
        install: Install::Answers(|host, _| {
            refuse(host, |request| {
                let units = request.workstation.units();
                units.iter().position(|unit| *unit == 0).is_some_and(|len| len > 32 && units[len..] == [0; 64][len..])
            });
        }),
    },
    Fault {
        name: "refuses-names-of-many-bytes",
        does: "Refuses a machine whose name takes more than 128 bytes in UTF-8, with 0x8007000D.",
        hurts: "Machines with long Chinese names: they are never activated, for a comment.",
        caught_by: &["kms/request/any-name#code"],
        install: Install::Answers(|host, _| {
            refuse(host, |request| {
                let name = request.workstation.units().iter().copied().take_while(|unit| *unit != 0);
                char::decode_utf16(name).flatten().map(char::len_utf8).sum::<usize>() > 128
            });
        }),
    },
    Fault {
        name: "refuses-licensed-for-long",
        does: "Refuses a licensed machine that has more than 180 days left, with 0x8007000D.",
        hurts: "Machines whose clock was set back: they are refused for a number that nobody needs.",
        caught_by: &["kms/request/license-status#code"],
        install: Install::Answers(|host, _| {
            refuse(host, |request| {
                request.license_status == LicenseStatus::LICENSED && request.binding_expiration_min > 259_200
            });
        }),
    },
    Fault {
        name: "refuses-skus-for-consumers",
        does: "Refuses a machine with the SKU id of a product for consumers with 0xC004F042, whatever its counted id.",
        hurts: "Machines that were upgraded: the host has the right key, and refuses them for a comment.",
        caught_by: &["kms/policy/granted-whoever-asks#code"],
        install: Install::Answers(|host, _| {
            host.rule(Rule::Product, |asked, honest| {
                let consumer = crate::catalog::find("Windows 10/11 Home");
                if consumer.is_ok_and(|product| product.sku_id == asked.request.sku_id) {
                    Err(Hresult::KMS_ID_MISMATCH)
                } else {
                    honest
                }
            });
        }),
    },
    Fault {
        name: "refuses-nameless-machines",
        does: "Refuses a machine without a name, with 0x8007000D.",
        hurts: "Machines that were not named yet: they are refused, for a comment.",
        caught_by: &["kms/request/empty-name#code"],
        install: Install::Answers(|host, _| refuse(host, |request| request.workstation.units()[0] == 0)),
    },
    Fault {
        name: "refuses-names-of-one-letter",
        does: "Refuses a machine whose name is a single character, with 0x8007000D.",
        hurts: "Such a machine: it is never activated, for a comment.",
        caught_by: &["kms/request/any-name#code"],
        install: Install::Answers(|host, _| {
            refuse(host, |request| matches!(request.workstation.units(), [first, 0, ..] if *first != 0));
        }),
    },
    Fault {
        name: "refuses-replays",
        does: "Refuses a request it has heard before byte for byte, with 0x8007000D.",
        hurts: "A client whose answer was lost on the way, and which sends its request again.",
        caught_by: &["kms/request/replay#code"],
        install: Install::Answers(|host, _| {
            let mut heard = HashSet::<Vec<u8>>::new();
            host.hear(move |payload| {
                // Those that carry no random of the client's are alike by their nature.
                let has_iv = payload.get(2).is_some_and(|major| *major > 4);
                if has_iv && heard.len() < REMEMBERED_MAX && !heard.insert(payload.clone()) {
                    payload.clear();
                }
            });
        }),
    },
    Fault {
        name: "refuses-small-n",
        does: "Refuses an N policy of less than 5, the least a Microsoft product has, with 0x8007000D.",
        hurts: "A product whose N policy is smaller: none of its clients is ever activated.",
        caught_by: &["kms/policy/n-policy#code"],
        install: Install::Answers(|host, _| {
            host.rule(Rule::NPolicy, |asked, honest| match asked.request.n_policy {
                1..5 => Err(Hresult::INVALID_DATA),
                _ => honest,
            });
        }),
    },
    Fault {
        name: "refuses-unchanged-ids",
        does: "Refuses a machine whose client machine id is the one it had before, with 0x8007000D.",
        hurts: "Machines set up from an image that names both: they are never activated.",
        caught_by: &["kms/policy/previous-cmid#code"],
        install: Install::Answers(|host, _| refuse(host, |request| request.cmid == request.previous_cmid)),
    },
    Fault {
        name: "refuses-virtual-machines",
        does: "Refuses virtual machines with 0x8007000D, as hosts of 2008 did not count them.",
        hurts: "Every virtual machine: none is ever activated.",
        caught_by: &["kms/request/vm-flag#code"],
        install: Install::Answers(|host, _| refuse(host, |request| request.is_vm == 1)),
    },
    Fault {
        name: "refuses-what-is-no-utf16",
        does: "Refuses a machine whose name is no valid UTF-16, with 0x8007000D.",
        hurts: "Such a machine: it is never activated, for a comment.",
        caught_by: &["kms/request/surrogates-in-name#code"],
        install: Install::Answers(|host, _| {
            refuse(host, |request| {
                let name = request.workstation.units().iter().take_while(|unit| **unit != 0);
                char::decode_utf16(name.copied()).any(|unit| unit.is_err())
            });
        }),
    },
    Fault {
        name: "serves-one-client-in-v6",
        does: "Refuses every machine but the first with 0xC004D104 in version 6.0, as if its table were full.",
        hurts: "Every machine but one since Windows 8.1.",
        caught_by: &["kms/request/v6#code"],
        install: Install::Answers(|host, _| {
            let mut first = None;
            host.rule(Rule::Machine, move |asked, honest| {
                let request = asked.request;
                match request.version == ProtocolVersion::V6 && *first.get_or_insert(request.cmid) != request.cmid {
                    true => Err(Hresult::TABLE_FULL),
                    false => honest,
                }
            });
        }),
    },
    Fault {
        name: "serves-retail",
        does: "Serves retail and preview products too, as long as it has heard of them.",
        hurts: "The admin: products without a volume licence are activated.",
        caught_by: &["kms/policy/retail-product#code"],
        install: Install::Answers(|host, _| {
            host.rule(Rule::Product, |asked, honest| {
                let request = asked.request;
                let mut known = catalog::by_counted_id(request.kms_counted_id);
                let is_known = known.any(|product| product.application.guid() == request.application_id);
                if is_known { Ok(()) } else { honest }
            });
        }),
    },
    Fault {
        name: "takes-any-n-policy",
        does: "Takes an N policy of any size, and keeps as many machines for it.",
        hurts: "The host: one request, and its table grows until the memory is gone.",
        caught_by: &["kms/policy/too-large-n#code"],
        install: Install::Answers(|host, _| host.rule(Rule::NPolicy, |_, _| Ok(()))),
    },
    Fault {
        name: "wraps-client-time",
        does: "Subtracts times without looking at their sign, so that the last ones there are seem near.",
        hurts: "The admin: a client whose clock reads nonsense is granted.",
        caught_by: &["kms/policy/clock-extremes#reply"],
        install: Install::Answers(|host, _| {
            host.rule(Rule::Clock, |asked, honest| {
                let nonsense = asked.request.client_time.0 > i64::MAX as u64;
                if nonsense { Ok(()) } else { honest }
            });
        }),
    },
    Fault {
        name: "wrong-code-when-full",
        does: "Refuses every machine once it has counted 671, with 0x8007000D and not with 0xC004D104.",
        hurts: "The admin: the code says that the clients send nonsense, and not that the table is full.",
        caught_by: &["kms/policy/full-table#code"],
        install: Install::Answers(|host, _| {
            host.grant(|_, grant| match grant.count {
                FULL.. => Err(Hresult::INVALID_DATA),
                _ => Ok(grant),
            });
        }),
    },
    Fault {
        name: "counts-previous-ids-in-v5",
        does: "Counts a machine once more when it names the client machine id it had before, in version 5.0.",
        hurts: "The admin: machines of Windows 8 that were given a new id stand twice in the count.",
        caught_by: &["kms/policy/previous-cmid#count"],
        install: Install::Answers(|host, _| {
            let has_previous = Arc::new(AtomicBool::new(false));
            let noticed = Arc::clone(&has_previous);
            host.rule(Rule::Machine, move |asked, honest| {
                let is_such = asked.request.previous_cmid != Guid::NIL && asked.request.version == ProtocolVersion::V5;
                noticed.store(is_such, Ordering::Relaxed);
                honest
            });
            host.tell(move |_, count| count + u32::from(has_previous.load(Ordering::Relaxed)));
        }),
    },
    Fault {
        name: "reads-n-in-16-bits",
        does: "Reads the lower half of an N policy alone, so that 65,541 is five.",
        hurts: "The host: what is refused elsewhere as nonsense is granted here.",
        caught_by: &["kms/policy/too-large-n#code"],
        install: Install::Answers(|host, _| {
            host.rule(Rule::NPolicy, |asked, honest| match asked.request.n_policy & 0xffff {
                0..=1000 => Ok(()),
                _ => honest,
            });
        }),
    },
    Fault {
        name: "refuses-digits-first",
        does: "Refuses a machine whose name begins with a digit, with 0x8007000D.",
        hurts: "Machines named after their year or their number: they are never activated, for a comment.",
        caught_by: &["kms/request/any-name#code"],
        install: Install::Answers(|host, _| {
            refuse(host, |request| (0x30..0x3a).contains(&request.workstation.units()[0]));
        }),
    },
    Fault {
        name: "refuses-hyphens-last",
        does: "Refuses a machine whose name ends in a hyphen or a dot, as no name in DNS does, with 0x8007000D.",
        hurts: "Such a machine: it is never activated, for a comment.",
        caught_by: &["kms/request/any-name#code"],
        install: Install::Answers(|host, _| {
            refuse(host, |request| {
                let name = request.workstation.units().iter().take_while(|unit| **unit != 0);
                name.last().is_some_and(|last| [0x2d, 0x2e].contains(last))
            });
        }),
    },
    Fault {
        name: "refuses-skus-of-others",
        does: "Refuses a SKU id that it knows as one of another KMS counted id, with 0xC004F042.",
        hurts: "Editions that came under another counted id since the list was made: they are refused.",
        caught_by: &["kms/policy/sku#code"],
        install: Install::Answers(|host, _| {
            host.rule(Rule::Product, |asked, honest| {
                honest?;
                let mut known = catalog::by_sku_id(asked.request.sku_id).peekable();
                let is_unknown = known.peek().is_none();
                match is_unknown || known.any(|one| one.kms_counted_id == asked.request.kms_counted_id) {
                    true => Ok(()),
                    false => Err(Hresult::KMS_ID_MISMATCH),
                }
            });
        }),
    },
    Fault {
        name: "shuts-all-applications",
        does: "Refuses every machine of every application with 0xC004D104 once one table is full.",
        hurts: "Office clients, because there are too many machines with Windows.",
        caught_by: &["kms/policy/full-table#code"],
        install: Install::Answers(|host, _| {
            let mut is_full = false;
            host.grant(move |_, grant| {
                is_full |= grant.count >= FULL;
                if is_full { Err(Hresult::TABLE_FULL) } else { Ok(grant) }
            });
        }),
    },
];

fn refuse(host: &mut Conduct, refused: fn(&ActivationRequest) -> bool) {
    host.rule(Rule::Machine, move |asked, honest| match refused(asked.request) {
        true => Err(Hresult::INVALID_DATA),
        false => honest,
    });
}

/// More than a genuine host's table holds.
const FULL: u32 = 672;
/// More requests than this are not remembered.
const REMEMBERED_MAX: usize = 100_000;
