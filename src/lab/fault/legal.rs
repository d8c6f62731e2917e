//! What a host may do as well: legal variations, which no client minds and no case may take for a fault.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::lots::Lots;
use super::{Fault, Install};
use crate::lab::conduct::Conduct;
use crate::lab::door::Door;
use crate::lab::tamper::{End, Fields, Tamper};
use crate::wire::kms::EpidText;
use crate::wire::ndr::{ResponseStub, response_in_other_order};
use crate::wire::rpc::{
    ContextResult, Flags, PduView, Ptype, ResultCode, SyntaxId, TransferSyntax, at, in_other_order,
};
use crate::wire::{Guid, Hresult};

pub(super) static VARIATIONS: &[Fault] = &[
    legal("answers-slowly", "Takes a tenth of a second for each answer.", |tamper, _| {
        tamper.on_way_out_of(Ptype::RESPONSE, |out| out.wait += Duration::from_millis(100));
    }),
    legal("answers-in-kind", "Answers a client whose integers are big endian in big endian.", |tamper, _| {
        tamper.on_way_out(|out| {
            let asked_so = PduView(out.asked).is_big_endian();
            if let Some(mut other) = in_other_order(&out.frame).filter(|_| asked_so) {
                if out.ptype() == Some(Ptype::RESPONSE) {
                    let stub = &other[at::STUB..];
                    let reads = |syntax: &TransferSyntax| ResponseStub::decode(stub, *syntax).is_ok();
                    let syntax = TransferSyntax::ALL.into_iter().find(reads).unwrap_or(TransferSyntax::Ndr32);
                    let stub = response_in_other_order(stub, syntax, false);
                    other.splice(at::STUB.., stub);
                }
                out.frame = other;
            }
        });
    }),
    legal(
        "multiplexes-in-alter-when-asked",
        "Sets conc_mpx on an alter_context_resp when the alter_context has it.",
        |tamper, _| {
            tamper.on_way_out_of(Ptype::ALTER_CONTEXT_RESPONSE, |out| {
                if PduView(out.asked).flags().is_some_and(|flags| flags.has(Flags::CONC_MPX)) {
                    let flags = out.flags().with(Flags::CONC_MPX);
                    out.set_flags(flags);
                }
            });
        },
    ),
    legal("accepts-slowly", "Takes a third of a second to acknowledge a bind.", |tamper, _| {
        tamper.on_way_out_of(Ptype::BIND_ACK, |out| out.wait += Duration::from_millis(300));
    }),
    legal("sends-byte-by-byte", "Sends every byte in a segment of its own.", |tamper, _| {
        tamper.on_way_out(|out| out.pieces = 1);
    }),
    legal(
        "sends-headers-first",
        "Sends the sixteen bytes of a header, and what follows in as small pieces.",
        |tamper, _| {
            tamper.on_way_out(|out| out.pieces = 16);
        },
    ),
    legal(
        "sends-in-sevens",
        "Sends seven bytes at a time, so that no field is where a segment begins.",
        |tamper, _| {
            tamper.on_way_out(|out| out.pieces = 7);
        },
    ),
    legal(
        "jitters",
        "Takes up to four thousandths of a second for each PDU, and sends it in pieces of any size.",
        |tamper, mut lots| {
            tamper.on_way_out(move |out| {
                out.wait += Duration::from_micros(u64::from(lots.up_to(4095)));
                out.pieces = 1 + lots.up_to(199) as usize;
            });
        },
    ),
    legal("speaks-ndr32-only", "Speaks NDR32 alone, as hosts do that are not 64-bit Windows.", |tamper, _| {
        tamper.shape(|config| config.ndr64 = false);
    }),
    legal("fragments-answers", "Sends its answers in fragments of 128 bytes.", |tamper, _| {
        tamper.shape(|config| config.max_fragment = 128);
    }),
    legal("fragments-finely", "Sends its answers in fragments of 40 bytes, two words of stub in each.", |tamper, _| {
        tamper.shape(|config| config.max_fragment = 40);
    }),
    legal(
        "numbers-groups-otherwise",
        "Gives association groups numbers far apart, high bits among them.",
        |tamper, _| {
            tamper.shape(|config| config.assoc_group = config.assoc_group.wrapping_mul(0x9e37_79b1) | 0x8000_0000);
        },
    ),
    legal(
        "pads-at-random",
        "Has random bytes where a bind_ack is only aligned, as Windows has now and then.",
        |tamper, _| {
            tamper.on_way_out_of(Ptype::BIND_ACK, |out| {
                let noise = (out.scene.number as u8).wrapping_mul(37) | 1;
                out.change_ack(|ack| ack.pad = [noise, noise ^ 0x55, !noise]);
            });
        },
    ),
    legal("takes-smaller-fragments", "Never takes fragments of more than 4,280 bytes.", |tamper, _| {
        tamper.on_way_out_of(Ptype::BIND_ACK, |out| {
            out.change_ack(|ack| {
                let size = ack.max_xmit_frag.min(4280);
                (ack.max_xmit_frag, ack.max_recv_frag) = (size, size);
            });
        });
        tamper.on_way_out_of(Ptype::ALTER_CONTEXT_RESPONSE, |out| {
            out.change_ack(|ack| {
                let size = ack.max_xmit_frag.min(4280);
                (ack.max_xmit_frag, ack.max_recv_frag) = (size, size);
            });
        });
    }),
    legal("hints-at-little", "Has an allocation hint of 1 in every response.", |tamper, _| {
        tamper.on_way_out_of(Ptype::RESPONSE, |out| out.put(at::ALLOC_HINT, &1_u32.to_le_bytes()));
    }),
    legal("hints-at-24-in-faults", "Has an allocation hint of 24 in every fault.", |tamper, _| {
        tamper.on_way_out_of(Ptype::FAULT, |out| out.put(at::ALLOC_HINT, &24_u32.to_le_bytes()));
    }),
    legal(
        "points-elsewhere",
        "Has another referent id in every answer: a pointer is any number but 0.",
        |tamper, _| {
            tamper.on_way_out_of(Ptype::RESPONSE, |out| {
                // In both syntaxes the pointer is a word or two after the size, at the next multiple of its own size.
                let at = if out.word(at::STUB + 4) == REFERENT { at::STUB + 4 } else { at::STUB + 8 };
                if out.word(at) == REFERENT {
                    out.put(at, &0x00CA_FE04_u32.to_le_bytes());
                }
            });
        },
    ),
    legal(
        "names-contexts-by-eight-bits",
        "Names a context by its low eight bits in a response, as Windows does.",
        |tamper, _| {
            tamper.on_way_out_of(Ptype::RESPONSE, |out| out.put(at::CONTEXT + 1, &[0]));
        },
    ),
    legal(
        "refuses-empty-binds-without-a-reason",
        "Gives reason 0 for a bind without contexts, as Windows 2012 R2.",
        |tamper, _| {
            tamper.on_way_out_of(Ptype::BIND_NAK, |out| {
                let is_empty =
                    out.asked.get(at::PTYPE) == Some(&Ptype::BIND.0) && out.asked.get(at::CONTEXTS) == Some(&0);
                if is_empty && out.asked.len() >= 28 {
                    out.put(at::REJECT_REASON, &[0, 0]);
                }
            });
        },
    ),
    legal(
        "knows-no-bind-time-features",
        "Takes bind time features for a transfer syntax it does not know.",
        |tamper, _| {
            tamper.on_way_out_of(Ptype::BIND_ACK, |out| {
                out.change_ack(|ack| {
                    for result in ack.results.iter_mut().filter(|result| result.result == ResultCode::NEGOTIATE_ACK) {
                        let syntax = SyntaxId::NONE;
                        *result = ContextResult { result: ResultCode::PROVIDER_REJECTION, reason: 2, syntax };
                    }
                });
            });
        },
    ),
    connections(
        "holds-64-connections",
        "Holds 64 connections at a time, and turns away at once who comes then.",
        |door, _| {
            door.open_max = Some(64);
        },
    ),
    legal("closes-instead-of-faults", "Closes the connection where others send a fault.", |tamper, _| {
        tamper.on_way_out_of(Ptype::FAULT, |out| {
            out.frame.clear();
            out.end = Some(End::Finish);
        });
    }),
    legal("closes-at-nonsense", "Closes the connection where others refuse a request with 0x8007000D.", |tamper, _| {
        tamper.on_way_out_of(Ptype::RESPONSE, |out| {
            if out.frame.ends_with(&Hresult::INVALID_DATA.0.to_le_bytes()) {
                out.frame.clear();
                out.end = Some(End::Finish);
            }
        });
    }),
    connections("serves-in-turn", "Serves a hundred requests a second, one after another.", |door, _| {
        door.serves_per_s = Some(100);
    }),
    answers("sends-short-intervals", "Tells clients to ask again after a quarter of an hour.", |host, _| {
        host.write(|response| (response.activation_interval_min, response.renewal_interval_min) = (15, 15));
    }),
    answers("sends-long-intervals", "Tells clients to ask again after thirty days.", |host, _| {
        host.write(|response| (response.activation_interval_min, response.renewal_interval_min) = (43_200, 43_200));
    }),
    answers("has-a-long-epid", "Has an ePID as long as the field allows: 63 characters.", |host, _| {
        host.write(|response| {
            let longest = "03612-00000-000-000000-03-1033-20348.0000-0012026-".to_owned() + &"0".repeat(13);
            if let Ok(epid) = EpidText::new(&longest) {
                response.epid = epid;
            }
        });
    }),
    answers("has-a-short-epid", "Has an ePID of one character.", |host, _| {
        host.write(|response| {
            if let Ok(epid) = EpidText::new("0") {
                response.epid = epid;
            }
        });
    }),
    legal("joins-answers", "Sends the answers to what came in one segment in one segment.", |tamper, _| {
        tamper.on_way_out(|out| out.joins = true);
    }),
    legal("closes-idle-connections", "Closes a connection on which nothing came for two seconds.", |tamper, _| {
        tamper.idle_max = Duration::from_secs(2);
    }),
    legal(
        "closes-late-after-faults",
        "Closes a connection a tenth of a second after a fault, and reads nothing meanwhile.",
        |tamper, _| {
            tamper.on_way_out_of(Ptype::FAULT, |out| {
                (out.end, out.lingers) = (Some(End::Finish), Duration::from_millis(100));
            });
        },
    ),
    answers("refuses-everybody-when-full", "Refuses machines it knows as well when its table is full.", |host, _| {
        host.grant(|_, grant| if grant.count > TABLE_MAX { Err(Hresult::TABLE_FULL) } else { Ok(grant) });
    }),
    answers(
        "was-asked-for-more",
        "Has a table of two thousand entries: a client of that N policy asked before the first one came.",
        |host, _| host.table.entries_least = 2000,
    ),
    answers("has-other-clients", "Is asked by somebody else as well: once for every three requests of ours.", others),
    answers(
        "was-asked-by-many",
        "Has counted as many others as it remembers before the first client comes.",
        |host, _| {
            host.tell(|_, told| told.max(50));
        },
    ),
];

/// Machines of somebody else, which are counted with ours as long as there is room.
fn others(host: &mut Conduct, _: Lots) {
    #[derive(Default)]
    struct Others {
        /// Who asks just now, for what.
        application: Guid,
        /// Of each application: how many there is room for, and how many others came.
        counted: HashMap<Guid, (u32, u32)>,
        asked: u32,
    }
    let others = Arc::new(Mutex::new(Others::default()));
    let state = Arc::clone(&others);
    host.table_of(move |caller, table| {
        let mut others = state.lock().unwrap_or_else(PoisonError::into_inner);
        others.application = caller.application;
        let (room, _) = others.counted.entry(caller.application).or_default();
        *room = (*room).max(2 * caller.n_policy).min(TABLE_MAX);
        table
    });
    host.tell(move |_, told| {
        let mut others = others.lock().unwrap_or_else(PoisonError::into_inner);
        others.asked += 1;
        let (application, comes) = (others.application, others.asked.is_multiple_of(3));
        let (room, came) = others.counted.entry(application).or_default();
        *came += u32::from(comes);
        (told + *came).min(*room).max(1)
    });
}

const fn legal(name: &'static str, does: &'static str, tamper: fn(&mut Tamper, Lots)) -> Fault {
    variation(name, does, Install::Pdus(tamper))
}

const fn answers(name: &'static str, does: &'static str, conduct: fn(&mut Conduct, Lots)) -> Fault {
    variation(name, does, Install::Answers(conduct))
}

const fn connections(name: &'static str, does: &'static str, door: fn(&mut Door, Lots)) -> Fault {
    variation(name, does, Install::Connections(door))
}

const fn variation(name: &'static str, does: &'static str, install: Install) -> Fault {
    Fault { name, does, hurts: NOBODY, caught_by: &[], install }
}

const NOBODY: &str = "Nobody: a host may do so, and no test may take it for a fault.";
/// As many machines as a genuine host keeps.
const TABLE_MAX: u32 = 671;
/// The referent id of an honest host's pointers.
const REFERENT: u32 = crate::wire::ndr::REFERENT as u32;
