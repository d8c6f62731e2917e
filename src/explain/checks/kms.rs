//! Checks of the stub and of the activation answer in it.

use super::{Advice, MendedBy::*};

pub(super) const ADVICE: &[Advice] = &[
    Advice {
        id: "ndr/response/well-formed",
        mended_by: &[Author],
        cause: "Sizes of the wrong width, or the layout of one transfer syntax on the context of the other: NDR64 \
                has eight bytes where NDR32 has four.",
        remedy: "Write size, pointer, count, bytes and return code in that order, in the widths of the context's \
                 transfer syntax.",
    },
    Advice {
        id: "ndr/response/padding",
        mended_by: &[Author],
        cause: "Memory was not cleared, so what stood there before goes out.",
        remedy: "Write zeros where bytes only align.",
    },
    Advice {
        id: "ndr/response/trailing",
        mended_by: &[Author],
        cause: "The stub is sent in a buffer that is too long, or is padded after the return code.",
        remedy: "End the stub with the return code.",
    },
    Advice {
        id: "ndr/response/return-code",
        mended_by: &[Author],
        cause: "The host refuses and sends an answer along with it, or says success and sends none.",
        remedy: "With an answer return 0; with a refusal send size 0, no pointer, and the code.",
    },
    Advice {
        id: "kms/response/envelope",
        mended_by: &[Author],
        cause: "The host answers every version in one envelope, leaves out a part of it, or encrypts with another \
                key.",
        remedy: "Choose the envelope by the version of the request: V4 has a MAC, V5 a random and its hash, V6 also \
                 hardware id, IVs and HMAC.",
    },
    Advice {
        id: "kms/response/version",
        mended_by: &[Author],
        cause: "The host writes its own newest version, or one outside the encryption and another inside.",
        remedy: "Copy major and minor version from the request to both places.",
    },
    Advice {
        id: "kms/response/body",
        mended_by: &[Author],
        cause: "The body was cut short, or a wrong ePID size moves every field after it.",
        remedy: "Read the answer with kmsproof decode; the first field that makes no sense stands behind the wrong \
                 size.",
    },
    Advice {
        id: "kms/response/length",
        mended_by: &[Author],
        cause: "The ePID is sent in a field of fixed length, or bytes are left over at the end.",
        remedy: "Let the fields follow the ePID directly, and send no byte after the last.",
    },
    Advice {
        id: "kms/response/epid-length",
        mended_by: &[Author],
        cause: "The size counts characters instead of bytes or leaves out the NUL, or the text is longer than 63 \
                characters.",
        remedy: "Count bytes, two for each character, the NUL included: 128 at most.",
    },
    Advice {
        id: "kms/response/epid-form",
        mended_by: &[Author, Admin],
        cause: "The ePID was written by hand, or put together from parts that do not go together.",
        remedy: "Clients do not judge it, so nothing is urgent. Where it is a setting, correct it; a Windows host \
                 forms its own.",
    },
    Advice {
        id: "kms/response/cmid",
        mended_by: &[Author],
        cause: "The id is read and written in different byte orders, or answers to several clients are mixed up.",
        remedy: "Copy the 16 bytes from the request unchanged.",
    },
    Advice {
        id: "kms/response/client-time",
        mended_by: &[Author],
        cause: "The host puts its own time there, or rounds the client's.",
        remedy: "Copy the eight bytes from the request unchanged.",
    },
    Advice {
        id: "kms/response/count",
        mended_by: &[Author],
        cause: "The host does not count the machine that asks (0), counts requests instead of machines, or sends a \
                fixed number.",
        remedy: "Count the different client ids of the application, the asking one included, up to the size of the \
                 table, which is twice the largest N policy asked for and so never beyond 2,000. Compare with slmgr /dli \
                 on the host.",
    },
    Advice {
        id: "kms/response/intervals",
        mended_by: &[Admin, Author],
        cause: "Somebody set an interval far from the default, or the host has fixed ones of its own.",
        remedy: "Set them on the host with slmgr /sai and slmgr /sri: 15 to 43200 minutes; the defaults are 120 and \
                 10080.",
    },
    Advice {
        id: "kms/v4/mac",
        mended_by: &[Author, Network],
        cause: "Another key, the subkeys of CMAC, or no padding where the body is a multiple of 16 long. Or bytes \
                changed on the way.",
        remedy: "Compute a plain CBC-MAC with Rijndael and a key of 160 bits, a zero IV, and always at least one \
                 byte of padding, beginning with 0x80.",
    },
    Advice {
        id: "kms/v5/iv",
        mended_by: &[Author],
        cause: "The host draws a fresh IV, as for V6.",
        remedy: "Send the request's IV back with a V5 answer; only V6 has one of its own.",
    },
    Advice {
        id: "kms/v6/iv",
        mended_by: &[Author],
        cause: "The host sends the request's IV back, as for V5.",
        remedy: "Draw a fresh random IV for every V6 answer.",
    },
    Advice {
        id: "kms/sealed/random-hash",
        mended_by: &[Author, Network],
        cause: "The hash was taken after the random was mixed with the salt, the salt is wrong, or bytes changed on \
                the way.",
        remedy: "Hash the 16 random bytes themselves with SHA-256, then mix them with the salt, which is the \
                 request's IV decrypted as one block.",
    },
    Advice {
        id: "kms/sealed/padding",
        mended_by: &[Author],
        cause: "The plaintext is padded with zeros, or not at all where it is a multiple of 16 long.",
        remedy: "Pad as PKCS#7 does: 1 to 16 bytes, each of them their number.",
    },
    Advice {
        id: "kms/v6/xored-ivs",
        mended_by: &[Author],
        cause: "The salt was computed with encryption in place of decryption, with the key of V5, or from the \
                answer's own IV.",
        remedy: "Decrypt the IV of the request as one block with the V6 key; the field must come out equal to that.",
    },
    Advice {
        id: "kms/v6/hmac",
        mended_by: &[Author, Network],
        cause: "The key was made from the host's clock instead of the client time, the HMAC covers other bytes, or \
                the wrong half of a digest was kept. Or bytes changed on the way.",
        remedy: "Make the key from the slot of the client time in the request, and keep the last 16 bytes of both \
                 digests. A client's time zone has no part in it.",
    },
    Advice {
        id: "kms/history/epid-stable",
        mended_by: &[Author, Admin],
        cause: "The host makes a new ePID for each answer or each start, or several hosts answer under one name.",
        remedy: "Make the ePID once and keep it. If there is a load balancer, test each host by its own address.",
    },
    Advice {
        id: "kms/history/count-not-falling",
        mended_by: &[Author, Admin],
        cause: "The host was restarted and forgot its table, several hosts answer under one name, or entries are \
                removed too early.",
        remedy: "Test each host by its own address. An entry goes 30 days after its machine was last seen, or \
                 earlier only when a newer one needs its place.",
    },
    Advice {
        id: "kms/history/intervals-constant",
        mended_by: &[Admin],
        cause: "Somebody changed the settings during the run, or several hosts with different settings answer under \
                one name.",
        remedy: "Give all hosts the same settings with slmgr /sai and slmgr /sri, and test each by its own address.",
    },
    Advice {
        id: "kms/history/v6-iv-fresh",
        mended_by: &[Author],
        cause: "The IV is fixed, the generator begins from the same seed, or an old answer is sent again.",
        remedy: "Draw every IV from a source of randomness that is good enough for keys.",
    },
    Advice {
        id: "kms/history/random-fresh",
        mended_by: &[Author],
        cause: "The random is fixed, the generator begins from the same seed, or an old answer is sent again.",
        remedy: "Draw every random from a source of randomness that is good enough for keys.",
    },
    Advice {
        id: "kms/history/hwid-constant",
        mended_by: &[Author, Admin],
        cause: "The host makes a new hardware id for each answer or each start, or several hosts answer under one \
                name.",
        remedy: "Make the hardware id once and keep it. If there is a load balancer, test each host by its own \
                 address.",
    },
];
