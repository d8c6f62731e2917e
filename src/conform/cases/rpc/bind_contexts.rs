//! Context ids, which are numbers of sixteen bits (C706 section 12.6.3.1; MS-RPCE 2.2.2.4).

use super::tools::{SERVED_NEXT, UNKNOWN_CONTEXT, bind_as, expect_bind, plain, strange, syntaxes};
use crate::conform::accept::{Accept, Then, Want, loose, ok};
use crate::conform::{Case, Level};

pub(super) static CASES: &[Case] = &[
    Case::new(
        "rpc/bind/any-context-id",
        Level::Must,
        "context ids of all sixteen bits",
        "A context is accepted and serves calls under any number of sixteen bits, in every syntax the host speaks.",
        "C706 section 12.6.3.1 (p_context_id_t); MS-RPCE 2.2.2.4",
        |t| {
            for syntax in syntaxes(t)? {
                for id in t.some_of(WIDE.to_vec(), 4, 6) {
                    if bind_as(t, &format!("context {id} in {}", syntax.id()), id, syntax)? {
                        t.request(id);
                        t.expect_next(&format!("a request in context {id} in {}", syntax.id()), SERVED_NEXT);
                    }
                }
            }
            Ok(())
        },
    ),
    Case::new(
        "rpc/bind/same-low-byte",
        Level::Must,
        "context ids that differ in their high byte alone",
        "Of two contexts whose numbers differ in the high byte alone the refused one serves no call, and the accepted \
         one does.",
        "C706 section 12.6.3.1 (p_context_id_t); Samba raw protocol tests (presentation_ctx_invalid1)",
        |t| {
            for (good, bad) in [(1, 0x101), (0x101, 1), (0x1200, 0), (0xff, 0xffff), (0, 0xff00)] {
                let contexts = vec![plain(t, good), strange(bad)];
                let accepts = [ok(Want::Ack(&[(0, 0), (2, 1)]), Then::Either)];
                expect_bind(t, &format!("contexts {good} and {bad}"), contexts, &accepts)?;
                if t.syntax_of(good).is_none() || t.is_over() {
                    continue;
                }
                t.request(bad);
                let seen = t.expect(&format!("a request in the refused {bad}"), &refused());
                if seen.reply.is_some() && !t.is_over() {
                    t.request(good);
                    t.expect_next(&format!("a request in the accepted {good}"), SERVED_NEXT);
                }
            }
            Ok(())
        },
    ),
];

/// What comes of a call in a context that was refused: any fault is right, one is how Windows does it.
fn refused() -> Vec<Accept> {
    [UNKNOWN_CONTEXT, &[loose(Want::AnyFault, Then::Either)]].concat()
}

/// Around eight bits, around a sign, and the last one, which some keep for none.
const WIDE: [u16; 9] = [127, 128, 255, 256, 257, 0x1234, 0x7fff, 0x8000, 0xffff];
