//! `decode`: what was said in a captured conversation, and whether it was right.

mod exchange;
mod of_case;
mod show;
mod tally;

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;

use self::of_case::case_of;
use self::show::Show;
use self::tally::Tally;
use super::Failure;
use super::common::read_at_most;
use crate::capture::{self, Chunk, Conversation, Direction};
use crate::exit::Exit;
use crate::proto::verify::History;
use crate::proto::{Moment, Sender, Witness, WitnessConfig, WitnessEvent};
use crate::text::{counted, harmless_lines};
use crate::wire::FileTime;
use crate::wire::kms::PORT;
use crate::wire::rpc::{Body, Pdu, SyntaxId};

/// Show a captured conversation field by field, and check what the host said
///
/// Every PDU is listed with each of its bytes and what they mean; what is encrypted is decrypted
/// and listed as well. Every answer of the host goes through the same checks as in a run, as far
/// as the capture has what they need, and what is wrong is marked at its bytes. Under each
/// exchange stands what the host granted and what a Windows client concludes from it.
///
/// Conversations that are not KMS are left out and counted. Nothing is sent anywhere.
///
/// Of a capture that `conform` made (--out pcapng=FILE) each conversation is shown with its case. What
/// the client sends there is the case's doing: the host is held to what is right in any answer, and
/// whether it is the right answer to that, the case judges.
///
/// Ends with 0 when every check held, 100 when one that a host must pass failed, 4 when there is
/// no answered KMS request in the file, and 104 when the file cannot be read.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub struct DecodeArgs {
    /// The capture: pcap, pcapng or hex text; `-` reads standard input
    ///
    /// Hex text is what people paste and what xxd, hexdump and packet analysers print. A line
    /// that begins with `client:` or `>` is the client's, one with `host:` or `<` the host's;
    /// without either the PDUs themselves tell.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Leave out the listings: exchanges, checks that failed and the summary alone
    #[arg(long, env = "KMSPROOF_BRIEF", value_parser = clap::builder::BoolishValueParser::new())]
    pub brief: bool,
}

/// Reads the file and writes what is in it.
///
/// # Errors
/// When the file cannot be read, or `out` cannot be written.
pub fn execute(args: &DecodeArgs, out: &mut dyn Write) -> Result<Exit, Failure> {
    let name = if args.file == Path::new("-") { "standard input".into() } else { args.file.display().to_string() };
    let name = harmless_lines(&name);
    let bytes = read_bounded(&args.file).map_err(|error| Failure::input(format!("{name}: {error}")))?;
    let capture = capture::read(&bytes).map_err(|error| Failure::input(format!("{name}: {error}")))?;
    drop(bytes);

    writeln!(out, "{name}: {}", counted(capture.conversations.len(), "conversation"))?;
    for note in &capture.notes {
        writeln!(out, "note: {}", harmless_lines(note))?;
    }
    if capture.conversations.iter().any(|conversation| case_of(conversation).is_some()) {
        writeln!(out, "{}", of_case::NOTE)?;
    }
    let begin = capture.conversations.iter().flat_map(|conversation| &conversation.chunks).find_map(|chunk| chunk.time);
    let mut tally = Tally::default();
    // Each host has a history of its own.
    let mut histories: HashMap<&str, History> = HashMap::new();
    for (index, conversation) in capture.conversations.iter().enumerate() {
        let whole = capture.notes.is_empty() && conversation.notes.is_empty();
        let config = WitnessConfig {
            port: port(&conversation.host),
            now: newest_date(conversation),
            whole,
            ..WitnessConfig::default()
        };
        let case = case_of(conversation);
        if case.is_none() && !speaks_kms(conversation, config) {
            tally.others += 1;
            continue;
        }
        tally.conversations += 1;
        let history = histories.entry(&conversation.host).or_default();
        let mut show = Show::new(out, args.brief, conversation, case);
        show.heading(index + 1)?;
        for (chunk, event) in events(conversation, config, begin) {
            show.event(&mut tally, history, chunk, event)?;
        }
        show.flush()?;
    }
    tally.write(out)?;
    Ok(tally.exit())
}

/// Every event of a conversation, with the chunk that brought it about; none did at the end.
fn events(
    conversation: &Conversation,
    config: WitnessConfig,
    begin: Option<Duration>,
) -> impl Iterator<Item = (Option<&Chunk>, WitnessEvent)> {
    let mut witness = Witness::new(config);
    let mut chunks = conversation.chunks.iter();
    let mut clock = Clock { begin: begin.unwrap_or_default(), last: Moment::default() };
    let (mut chunk, mut ended) = (None, false);
    std::iter::from_fn(move || {
        loop {
            if let Some(event) = witness.poll_event() {
                return Some((chunk, event));
            }
            if ended {
                return None;
            }
            chunk = chunks.next();
            match chunk {
                Some(chunk) => {
                    let sender = if chunk.direction == Direction::ToHost { Sender::Client } else { Sender::Host };
                    witness.handle_bytes(sender, clock.read(chunk), &chunk.bytes);
                }
                None => {
                    ended = true;
                    witness.handle_end();
                }
            }
        }
    })
}

/// The capture's clock, made to go forward even where there are no times or they jump back: what
/// is later in the file is later.
struct Clock {
    begin: Duration,
    last: Moment,
}

impl Clock {
    fn read(&mut self, chunk: &Chunk) -> Moment {
        let next = self.last + Duration::from_nanos(1);
        let recorded = chunk.time.map(|time| Moment(time.saturating_sub(self.begin)));
        self.last = recorded.map_or(next, |recorded| recorded.max(next));
        self.last
    }
}

/// Whether this is worth showing: hex text somebody pasted, anything at the KMS port, and
/// elsewhere what offers the KMS interface or makes a KMS request.
fn speaks_kms(conversation: &Conversation, config: WitnessConfig) -> bool {
    let port = port(&conversation.host);
    if port.is_none() || port == Some(PORT) {
        return true;
    }
    events(conversation, config, None).any(|(_, event)| match event {
        WitnessEvent::Pdu { sender: Sender::Client, bytes, .. } => match Pdu::decode(&bytes).map(|pdu| pdu.body) {
            Ok(Body::Bind(bind) | Body::AlterContext(bind)) => {
                bind.contexts.iter().any(|context| context.interface == SyntaxId::KMS)
            }
            _ => false,
        },
        WitnessEvent::Asked(asked) => asked.request.is_ok(),
        _ => false,
    })
}

fn port(host: &str) -> Option<u16> {
    host.rsplit_once(':').and_then(|(_, port)| port.parse().ok())
}

/// The last time in the conversation; where there is none, today.
fn newest_date(conversation: &Conversation) -> FileTime {
    let recorded = conversation.chunks.iter().filter_map(|chunk| chunk.time).max().and_then(timestamp);
    FileTime::from_timestamp(recorded.unwrap_or_else(Timestamp::now)).unwrap_or(FileTime(u64::MAX))
}

/// A recorded time; `None` past the year 9999.
fn timestamp(time: Duration) -> Option<Timestamp> {
    i128::try_from(time.as_nanos()).ok().and_then(|nanos| Timestamp::from_nanosecond(nanos).ok())
}

fn read_bounded(file: &Path) -> io::Result<Vec<u8>> {
    let source: Box<dyn Read> = match file == Path::new("-") {
        true => Box::new(io::stdin().lock()),
        false => Box::new(File::open(file)?),
    };
    let bytes = read_at_most(source, FILE_BYTES_MAX)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        let why = "larger than 1 GiB; cut out the KMS traffic first (tshark -r FILE -Y 'tcp.port == 1688' -w OUT)";
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, why));
    }
    Ok(bytes)
}

const FILE_BYTES_MAX: u64 = 1 << 30;

const EXAMPLES: &str = "\
Examples:
  kmsproof decode office.pcapng           everything, byte by byte
  kmsproof decode --brief office.pcapng   only what was granted and what was wrong
  xxd answer.bin | kmsproof decode -      bytes from anywhere";
