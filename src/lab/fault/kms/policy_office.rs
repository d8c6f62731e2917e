//! Faults that show with Office clients alone, whose rules a host may have written a second time (protocol description,
//! sections 5 and 6).

use std::time::Duration;

use crate::catalog::{self, Application};
use crate::lab::conduct::ClockRules;
use crate::lab::fault::{Fault, Install};
use crate::lab::rules::Rule;
use crate::wire::kms::ActivationRequest;
use crate::wire::{Guid, Hresult};

pub(super) static FAULTS: &[Fault] = &[
    Fault {
        name: "allows-office-three-hours",
        does: "Refuses an Office client whose clock is more than three hours off, with 0xC004F06C.",
        hurts: "Office clients that are granted elsewhere: they show 0xC004F074 though their clock is within bounds.",
        caught_by: &["kms/policy/office-granted#code"],
        install: Install::Answers(|host, _| {
            host.rule(Rule::Clock, |asked, honest| {
                let is_off = asked.request.client_time.distance(asked.now) > Duration::from_secs(3 * 3600);
                if is_office(asked.request) && is_off { Err(Hresult::INVALID_TIMESTAMP) } else { honest }
            });
        }),
    },
    Fault {
        name: "counts-wrong-clocks-of-office",
        does: "Counts an Office client before it looks at its clock, and refuses it then.",
        hurts: "The admin: the count of Office is reached by machines that were never activated.",
        caught_by: &["kms/policy/office-refused-not-counted#count"],
        install: Install::Answers(|host, _| {
            host.rule(Rule::Clock, |asked, honest| if is_office(asked.request) { Ok(()) } else { honest });
            host.grant(|asked, grant| match ClockRules::default().hold(asked.request.client_time, asked.now) {
                true => Ok(grant),
                false => Err(Hresult::INVALID_TIMESTAMP),
            });
        }),
    },
    Fault {
        name: "ignores-slow-office-clocks",
        does: "Does not mind an Office client whose clock is slow, only one whose clock is fast.",
        hurts: "The admin: machines that lost their clock go unnoticed where only Office is activated.",
        caught_by: &["kms/policy/office-clock#code"],
        install: Install::Answers(|host, _| {
            host.rule(Rule::Clock, |asked, honest| {
                if is_office(asked.request) && asked.request.client_time < asked.now { Ok(()) } else { honest }
            });
        }),
    },
    Fault {
        name: "mixes-office-generations",
        does: "Serves a product of Office 2010 as one of the later Office, and the other way about.",
        hurts: "The admin: one machine stands in the counts of two applications.",
        caught_by: &["kms/policy/application#code"],
        install: Install::Answers(|host, _| {
            host.rule(Rule::Product, |asked, honest| {
                let offices = [Application::Office2010, Application::Office].map(Application::guid);
                let counted = asked.request.kms_counted_id;
                let is_any = offices.iter().any(|application| catalog::serves(*application, counted));
                if offices.contains(&asked.request.application_id) && is_any { Ok(()) } else { honest }
            });
        }),
    },
    Fault {
        name: "refuses-four-of-office",
        does: "Refuses an Office client whose N policy is 4, as if no product had it, with 0x8007000D.",
        hurts: "A product whose N policy is that: none of its clients is ever activated.",
        caught_by: &["kms/policy/office-granted#code"],
        install: Install::Answers(|host, _| {
            host.rule(Rule::NPolicy, |asked, honest| {
                if is_office(asked.request) && asked.request.n_policy == 4 {
                    Err(Hresult::INVALID_DATA)
                } else {
                    honest
                }
            });
        }),
    },
    Fault {
        name: "refuses-large-n-of-office",
        does: "Refuses an Office client whose N policy is more than 99, with 0x8007000D.",
        hurts: "A product whose N policy is larger: none of its clients is ever activated.",
        caught_by: &["kms/policy/large-n#code"],
        install: Install::Answers(|host, _| {
            host.rule(Rule::NPolicy, |asked, honest| {
                if is_office(asked.request) && asked.request.n_policy > 99 {
                    Err(Hresult::INVALID_DATA)
                } else {
                    honest
                }
            });
        }),
    },
    Fault {
        name: "refuses-long-names-of-office",
        does: "Refuses an Office client whose name is longer than 60 characters, with 0x8007000D.",
        hurts: "Office on machines with long names: it is never activated, for a comment.",
        caught_by: &["kms/policy/office-granted#code"],
        install: Install::Answers(|host, _| {
            host.rule(Rule::Machine, |asked, honest| {
                let len = asked.request.workstation.units().iter().take_while(|unit| **unit != 0).count();
                if is_office(asked.request) && len > 60 { Err(Hresult::INVALID_DATA) } else { honest }
            });
        }),
    },
    Fault {
        name: "refuses-nil-skus-of-office",
        does: "Refuses an Office client whose SKU id is all zeros, with 0xC004F042.",
        hurts: "Clients that leave it out: they are refused, though their counted id is served.",
        caught_by: &["kms/policy/office-granted#code"],
        install: Install::Answers(|host, _| {
            host.rule(Rule::Product, |asked, honest| {
                let is_nil = asked.request.sku_id == Guid::NIL;
                if is_office(asked.request) && is_nil { Err(Hresult::KMS_ID_MISMATCH) } else { honest }
            });
        }),
    },
    Fault {
        name: "serves-any-office",
        does: "Serves every counted id that an Office client asks for.",
        hurts: "The admin: Office without a volume licence is activated.",
        caught_by: &["kms/policy/office-product#code"],
        install: Install::Answers(|host, _| {
            host.rule(Rule::Product, |asked, honest| if is_office(asked.request) { Ok(()) } else { honest });
        }),
    },
    Fault {
        name: "takes-any-n-of-office",
        does: "Takes an N policy of any size of an Office client, and keeps as many machines for it.",
        hurts: "The host: one request, and its table grows until the memory is gone.",
        caught_by: &["kms/policy/too-large-n#code"],
        install: Install::Answers(|host, _| {
            host.rule(Rule::NPolicy, |asked, honest| if is_office(asked.request) { Ok(()) } else { honest });
        }),
    },
];

fn is_office(request: &ActivationRequest) -> bool {
    request.application_id != Application::Windows.guid()
}
