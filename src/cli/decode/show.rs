//! One conversation on paper.

use std::io::{self, Write};

use super::exchange;
use super::of_case::LEFT_TO_CASES;
use super::tally::Tally;
use super::timestamp;
use crate::capture::{Chunk, Conversation};
use crate::conform::Case;
use crate::proto::verify::{Checks, Finding, History};
use crate::proto::{Answer, Asked, Phase, Sender, WitnessEvent, WitnessedExchange};
use crate::text::{counted, harmless_lines, wrapped};
use crate::wire::dump::{self, Listing};
use crate::wire::kms::ProtocolVersion;
use crate::wire::rpc::{Bind, BindAck, PduView, Ptype};
use crate::wire::{DecodeError, Layer};

/// Writes the events of one conversation.
pub(super) struct Show<'a> {
    out: &'a mut dyn Write,
    brief: bool,
    conversation: &'a Conversation,
    /// The case whose conversation it is.
    case: Option<&'static Case>,
    /// The listing of the last PDU, which what follows from it may still mark.
    open: Option<Listing>,
}

impl<'a> Show<'a> {
    pub fn new(
        out: &'a mut dyn Write,
        brief: bool,
        conversation: &'a Conversation,
        case: Option<&'static Case>,
    ) -> Show<'a> {
        Show { out, brief, conversation, case, open: None }
    }

    /// Who talked, when, and what is doubtful about the recording.
    pub fn heading(&mut self, number: usize) -> io::Result<()> {
        let Conversation { client, host, chunks, notes, comments } = self.conversation;
        let begun = chunks.iter().find_map(|chunk| chunk.time).and_then(timestamp);
        let begun = begun.map_or(String::new(), |at| format!(", {}", at.strftime("%Y-%m-%d %H:%M:%S UTC")));
        let heading = format!("Conversation {number}: {client} -> {host}{begun}");
        self.line(format!("\n{heading}\n{}", "=".repeat(heading.len())))?;
        match self.case {
            Some(case) => self.line(format!("case {}: {}", case.id, case.title))?,
            None => comments.iter().try_for_each(|comment| self.line(format!("comment: {comment}")))?,
        }
        for note in notes {
            self.line(format!("note: {note}"))?;
        }
        if !notes.is_empty() {
            self.line("note: what does not fit together below is put down to what is missing, not to the host")?;
        }
        Ok(())
    }

    /// Writes one event; `chunk` completed it.
    pub fn event(
        &mut self,
        tally: &mut Tally,
        history: &mut History,
        chunk: Option<&Chunk>,
        event: WitnessEvent,
    ) -> io::Result<()> {
        match event {
            WitnessEvent::Pdu { sender, bytes, syntax, findings, .. } => {
                self.flush()?;
                let mut listing = dump::pdu(&bytes, syntax);
                let syntax = syntax.map_or(String::new(), |syntax| format!(", {syntax}"));
                let call = PduView(&bytes).call_id().unwrap_or_default();
                let by = match self.case.filter(|_| sender == Sender::Client) {
                    Some(case) => format!(", as {} has it", case.id),
                    None => String::new(),
                };
                listing.title = format!("{} {}, call {call}{syntax}{by}", stamp(chunk, sender), listing.title);
                let is_ours = |finding: &&Finding| self.case.is_some() && LEFT_TO_CASES.contains(&finding.check);
                let findings: Vec<_> = findings.iter().filter(|finding| !is_ours(finding)).cloned().collect();
                mark(&mut listing, &findings, |_| true);
                self.open = Some(listing);
                Ok(())
            }
            WitnessEvent::Asked(asked) => self.asked(*asked),
            WitnessEvent::Bound { altered, offered, ack, checks } => {
                self.flush()?;
                let checks = self.of_host(tally, checks);
                tally.add(&checks);
                self.bound(altered, &offered, &ack, &checks)
            }
            WitnessEvent::Exchange(exchange) => self.exchange(tally, history, *exchange),
            WitnessEvent::Unanswered { phase, call_id, .. } => {
                self.flush()?;
                tally.unanswered += usize::from(phase == Phase::Call);
                self.line(format!("\n  No answer to {phase} ({call_id}) in the recording."))
            }
            WitnessEvent::Failed { failure, checks } => {
                self.flush()?;
                let checks = self.of_host(tally, checks);
                tally.add(&checks);
                let what = if self.case.is_some() { "No ordinary answer" } else { "Failed" };
                self.line(format!("\n  {what}: {failure}"))?;
                self.checks(&checks)
            }
            WitnessEvent::Stray { sender, bytes, total, cut_short, .. } => {
                self.flush()?;
                let what = if cut_short { "the beginning of a PDU, cut short" } else { "no DCE/RPC" };
                let mut listing = dump::pdu(&bytes[..bytes.len().min(STRAY_SHOWN)], None);
                listing.title = format!("{sender}: {} left over: {what}", counted(total, "byte"));
                listing.issues.clear();
                self.listing(&listing)
            }
        }
    }

    /// Writes what waits for its marks.
    pub fn flush(&mut self) -> io::Result<()> {
        match self.open.take() {
            Some(listing) => self.listing(&listing),
            None => Ok(()),
        }
    }

    fn asked(&mut self, asked: Asked) -> io::Result<()> {
        if let (Some(open), Ok(heard)) = (&mut self.open, &asked.request)
            && asked.joined.is_none()
        {
            heard.issues.iter().for_each(|issue| mark_issue(open, issue.clone()));
        }
        self.flush()?;
        if let (Some(stub), Some(syntax)) = (&asked.joined, asked.syntax) {
            let mut listing = dump::joined_stub(stub, Ptype::REQUEST, syntax);
            let issues = asked.request.as_ref().map_or(&[][..], |heard| &heard.issues);
            issues.iter().for_each(|issue| mark_issue(&mut listing, issue.clone()));
            self.listing(&listing)?;
        }
        if asked.guessed {
            self.line("\n  The bind is not in the recording: only this syntax makes sense of the stub.")?;
        }
        match &asked.request {
            Ok(heard) if !heard.plaintext.is_empty() => self.listing(&dump::request_plaintext(&heard.plaintext)),
            Ok(_) => Ok(()),
            Err(why) => self.line(format!("\n  Not checked as KMS: {why}.")),
        }
    }

    fn bound(&mut self, altered: bool, offered: &Bind, ack: &BindAck, checks: &Checks) -> io::Result<()> {
        self.line(if altered { "\n  Altered" } else { "\n  Bound" })?;
        for (result, context) in ack.results.iter().zip(&offered.contexts) {
            let transfer: Vec<_> = context.transfer.iter().map(ToString::to_string).collect();
            self.row("context", format!("{}, {}: {result}", context.id, transfer.join(" or ")))?;
        }
        self.checks(checks)
    }

    fn exchange(
        &mut self,
        tally: &mut Tally,
        history: &mut History,
        mut exchange: WitnessedExchange,
    ) -> io::Result<()> {
        if let Ok(heard) = &exchange.request {
            let more = history.observe(heard.request(), &exchange.answer, exchange.sent, exchange.received);
            exchange.answer.checks.absorb(more);
        }
        exchange.answer.checks = self.of_host(tally, std::mem::take(&mut exchange.answer.checks));
        tally.exchanges += usize::from(exchange.answer.wire.is_some() || exchange.request.is_ok());
        tally.add(&exchange.answer.checks);

        let answer = &exchange.answer;
        let is_sealed = !answer.plaintext.is_empty();
        let in_plaintext = |layer| is_sealed && matches!(layer, Layer::KmsResponse | Layer::Proof);
        if let (Some(open), None) = (&mut self.open, &exchange.joined) {
            // What is wrong as DCE/RPC sees it was marked when the PDU went by.
            mark(open, &answer.checks.findings, |layer| layer != Layer::Rpc && !in_plaintext(layer));
        }
        self.flush()?;
        if let (Some(stub), Some(syntax)) = (&exchange.joined, exchange.syntax) {
            let mut listing = dump::joined_stub(stub, Ptype::RESPONSE, syntax);
            let moved = |finding: &Finding| {
                let mut finding = finding.clone();
                finding.place.iter_mut().for_each(|place| place.offset = place.offset.saturating_sub(24));
                finding
            };
            let findings: Vec<_> = answer.checks.findings.iter().map(moved).collect();
            mark(&mut listing, &findings, |layer| layer != Layer::Rpc && !in_plaintext(layer));
            self.listing(&listing)?;
        }
        if is_sealed {
            let mut listing = dump::response_plaintext(&answer.plaintext, sealed_version(answer));
            mark(&mut listing, &answer.checks.findings, in_plaintext);
            self.listing(&listing)?;
        }
        let timed = self.conversation.chunks.iter().any(|chunk| chunk.time.is_some());
        self.line(format!("\n  {}", exchange::heading(&exchange, timed)))?;
        for (label, value) in exchange::rows(&exchange) {
            self.row(label, value)?;
        }
        self.checks(&exchange.answer.checks)
    }

    /// The checks that are of the host alone, whoever asked and however.
    fn of_host(&self, tally: &mut Tally, checks: Checks) -> Checks {
        if self.case.is_none() {
            return checks;
        }
        tally.left_to_cases += LEFT_TO_CASES.iter().filter(|check| checks.failed.has(**check)).count();
        checks.without(&LEFT_TO_CASES)
    }

    fn checks(&mut self, checks: &Checks) -> io::Result<()> {
        let (done, failed) = (checks.done.len(), checks.failed.len());
        let held = if failed == 0 { "all held".to_owned() } else { format!("{} held", done - failed) };
        self.row("checks", format!("{done} done, {held}"))?;
        for Finding { check, expected, got, .. } in &checks.findings {
            let entry = check.check();
            let trust = if entry.trust { ", or a client throws the answer away" } else { "" };
            self.row("NOT HELD", format!("{check} ({}{trust})", entry.level))?;
            for line in wrapped(entry.requirement, REQUIREMENT_COLUMNS) {
                self.row("", line)?;
            }
            self.row("", format!("expected {expected}"))?;
            self.row("", format!("got      {got}"))?;
        }
        Ok(())
    }

    fn listing(&mut self, listing: &Listing) -> io::Result<()> {
        if self.brief { Ok(()) } else { write!(self.out, "\n{}", harmless_lines(&listing.to_string())) }
    }

    fn row(&mut self, label: &str, value: String) -> io::Result<()> {
        self.line(format!("    {label:<LABEL_COLUMNS$}{value}").trim_end())
    }

    fn line(&mut self, text: impl AsRef<str>) -> io::Result<()> {
        writeln!(self.out, "{}", harmless_lines(text.as_ref()))
    }
}

/// The version of a sealed answer's envelope, by what was found in it.
fn sealed_version(answer: &Answer) -> ProtocolVersion {
    match (answer.hwid, answer.random, &answer.response) {
        (Some(_), _, _) => ProtocolVersion::V6,
        (None, Some(_), _) => ProtocolVersion::V5,
        (None, None, Some(response)) => response.version,
        // Nothing before the body's end could be read: the version does not come into it.
        (None, None, None) => ProtocolVersion::V6,
    }
}

/// `#12 15:19:26.123456 client:`.
fn stamp(chunk: Option<&Chunk>, sender: Sender) -> String {
    let packet = chunk.and_then(|chunk| chunk.packet).map_or(String::new(), |packet| format!("#{packet} "));
    let time = chunk.and_then(|chunk| chunk.time).and_then(timestamp);
    let time = time.map_or(String::new(), |at| format!("{} ", at.strftime("%H:%M:%S%.6f")));
    format!("{packet}{time}{sender}:")
}

/// Marks those findings whose place is in this listing.
fn mark(listing: &mut Listing, findings: &[Finding], is_here: impl Fn(Layer) -> bool) {
    for finding in findings {
        let Some(place) = finding.place.filter(|place| is_here(place.layer)) else { continue };
        mark_issue(
            listing,
            DecodeError {
                layer: place.layer,
                field: place.field,
                offset: place.offset,
                expected: finding.expected.clone().into(),
                got: format!("{} ({})", finding.got, finding.check).into(),
            },
        );
    }
}

/// Marks an issue, unless reading the field has already found it.
fn mark_issue(listing: &mut Listing, issue: DecodeError) {
    let known = |other: &DecodeError| (other.layer, other.offset) == (issue.layer, issue.offset);
    if !listing.issues.iter().any(known) {
        listing.mark(issue);
    }
}

const LABEL_COLUMNS: usize = 16;
const REQUIREMENT_COLUMNS: usize = 80;
/// How many stray bytes are listed: enough to see what speaks there.
const STRAY_SHOWN: usize = 256;
