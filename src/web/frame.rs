//! SSE as it comes from a backend, cut into whole events without parsing or copying: an event is a
//! slice of the read it arrived in, unless a read ended inside it. Ends are found by byte search,
//! whatever the line ends (LF, CRLF, CR) and wherever the bytes were split.

use bytes::{Bytes, BytesMut};
use memchr::memchr2;

/// An event beyond this is no token: a backend that sends it is broken or hostile.
const LARGEST: usize = 4 << 20;

const BOM: &[u8] = b"\xEF\xBB\xBF";

/// Cuts reads into whole events.
#[derive(Default)]
pub struct Framer {
    /// The beginning of an event whose end has not come.
    rest: BytesMut,
    /// Where in `rest` its current line starts.
    line: usize,
    /// Whether anything came yet: a byte order mark is only one at the very start.
    begun: bool,
}

/// The event has no end.
#[derive(Debug, PartialEq, Eq)]
pub struct TooLong;

impl Framer {
    /// Adds a read, and returns the events that are now whole: one slice, and where each ends.
    pub fn feed(&mut self, read: Bytes, ends: &mut Vec<usize>) -> Result<Bytes, TooLong> {
        let mut read = match self.begun {
            true => read,
            false => self.begin(read),
        };
        if !self.begun {
            return Ok(Bytes::new());
        }
        if !self.rest.is_empty() {
            self.rest.extend_from_slice(&read);
            read = self.rest.split().freeze();
        }
        let mut start = 0;
        let mut line = std::mem::take(&mut self.line);
        while let Some((next_line, blank)) = line_end(&read, line) {
            if blank {
                ends.push(next_line);
                start = next_line;
            }
            line = next_line;
        }
        if read.len() - start > LARGEST {
            return Err(TooLong);
        }
        self.rest.extend_from_slice(&read[start..]);
        self.line = line - start;
        read.truncate(start);
        Ok(read)
    }

    /// Takes a byte order mark off the very start, which may come in pieces too.
    fn begin(&mut self, read: Bytes) -> Bytes {
        let start = match self.rest.is_empty() {
            true => read,
            false => {
                self.rest.extend_from_slice(&read);
                self.rest.split().freeze()
            }
        };
        if BOM.starts_with(&start) && start.len() < BOM.len() {
            self.rest.extend_from_slice(&start);
            return Bytes::new();
        }
        self.begun = true;
        match start.starts_with(BOM) {
            true => start.slice(BOM.len()..),
            false => start,
        }
    }

    /// What is left when the stream ends: a last event without its blank line.
    pub fn finish(&mut self) -> Option<Bytes> {
        let rest = self.rest.split().freeze();
        self.line = 0;
        (!rest.trim_ascii().is_empty()).then_some(rest)
    }
}

/// The end of the line that starts at `from`: where the next one starts, and whether it was blank.
/// A CR at the very end may be half of a CRLF: it waits for the next read.
fn line_end(bytes: &[u8], from: usize) -> Option<(usize, bool)> {
    let at = from + memchr2(b'\n', b'\r', &bytes[from..])?;
    let next = match (bytes[at], bytes.get(at + 1)) {
        (b'\n', _) => at + 1,
        (_, Some(b'\n')) => at + 2,
        (_, Some(_)) => at + 1,
        (_, None) => return None,
    };
    Some((next, at == from))
}

/// The data of an event: its `data:` lines, joined. Nearly always one line, and then a slice.
pub fn data(event: &Bytes) -> Option<Bytes> {
    let mut found: Option<Bytes> = None;
    let mut from = 0;
    while from < event.len() {
        let end = from + memchr2(b'\n', b'\r', &event[from..]).unwrap_or(event.len() - from);
        if let Some(value) = event[from..end].strip_prefix(b"data:") {
            let value = value.strip_prefix(b" ").unwrap_or(value);
            found = Some(match found {
                None => event.slice_ref(value),
                Some(before) => [&before[..], b"\n", value].concat().into(),
            });
        }
        from = end + 1;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn events(reads: &[&[u8]]) -> Vec<Vec<u8>> {
        let (mut framer, mut all) = (Framer::default(), Vec::new());
        for read in reads {
            let read = Bytes::copy_from_slice(read);
            let mut ends = Vec::new();
            let whole = framer.feed(read, &mut ends).unwrap();
            let mut from = 0;
            for end in ends {
                all.push(data(&whole.slice(from..end)).unwrap_or_default().to_vec());
                from = end;
            }
        }
        all.extend(
            framer
                .finish()
                .map(|e| data(&e).unwrap_or_default().to_vec()),
        );
        all
    }

    const STREAM: &[u8] =
        "\u{feff}: hi\n\ndata: 你好\r\n\r\ndata:a\rdata: b\r\rid: 1\ndata: {}\n\ndata: [DONE]"
            .as_bytes();

    #[test]
    fn every_kind_of_line_end() {
        let want: [&[u8]; 5] = [b"", "你好".as_bytes(), b"a\nb", b"{}", b"[DONE]"];
        assert_eq!(events(&[STREAM]), want);
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same_events(cuts in prop::collection::vec(0..STREAM.len(), 0..9)) {
            let mut cuts = cuts;
            cuts.extend([0, STREAM.len()]);
            cuts.sort_unstable();
            let reads: Vec<_> = cuts.windows(2).map(|w| &STREAM[w[0]..w[1]]).collect();
            prop_assert_eq!(events(&reads), events(&[STREAM]));
        }
    }

    /// Bytes of which streams are made, and some that do not belong there.
    fn soup() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop::sample::select(vec![
            "data: ", "data:", "data", ":", ": x", "\n", "\n", "\r", "\r\n", "\n\n", "{}", "中",
            "\u{feff}", " ", "id: 1", "[DONE]",
        ]);
        let byte = any::<u8>().prop_map(|byte| vec![byte]);
        let piece = prop_oneof![8 => piece.prop_map(|p| p.as_bytes().to_vec()), 1 => byte];
        let marked = any::<bool>().prop_map(|yes| if yes { BOM.to_vec() } else { Vec::new() });
        (marked, prop::collection::vec(piece, 0..40))
            .prop_map(|(mark, pieces)| [mark, pieces.concat()].concat())
    }

    proptest! {
        #[test]
        fn so_it_does_whatever_comes(
            soup in soup(), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..9),
        ) {
            let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(soup.len() + 1)).collect();
            cuts.extend([0, soup.len()]);
            cuts.sort_unstable();
            let reads: Vec<_> = cuts.windows(2).map(|w| &soup[w[0]..w[1]]).collect();
            prop_assert_eq!(events(&reads), events(&[&soup]));
        }
    }

    #[test]
    fn a_byte_order_mark_hides_no_event() {
        let stream = "\u{feff}data: a\n\n".as_bytes();
        let reads: Vec<_> = stream.chunks(1).collect();
        assert_eq!(events(&reads), [b"a"]);
        assert_eq!(events(&[stream]), [b"a"]);
    }

    #[test]
    fn byte_by_byte() {
        let reads: Vec<_> = STREAM.chunks(1).collect();
        assert_eq!(events(&reads), events(&[STREAM]));
    }

    #[test]
    fn an_endless_event_is_refused() {
        let mut framer = Framer::default();
        let read = Bytes::from(vec![b'x'; LARGEST + 1]);
        assert_eq!(framer.feed(read, &mut Vec::new()), Err(TooLong));
    }
}
