//! What of a message is the user's own plain words. Code and quotations are blanked out, byte for
//! byte; from the first sign of something pasted on (code outside a fence, a heading, a table, a
//! log) nothing is plain; and a letter or a form is nobody's statement at all.

use super::normal::normal;

/// Stands for a byte of code.
pub const CODE: char = '\u{1}';
/// Stands for a byte of a quotation or a title.
pub const QUOTED: char = '\u{2}';

/// A message and its plain form.
pub struct Plain<'t> {
    /// The message.
    pub text: &'t str,
    /// Its normal form, the same bytes long, with code and quotations blanked out.
    pub shadow: String,
}

/// Which bytes are not plain.
struct Mask {
    marks: Vec<u8>,
}

impl Mask {
    fn put(&mut self, from: usize, to: usize, mark: char) {
        self.marks[from..to].fill(mark as u8);
    }
}

impl<'t> Plain<'t> {
    /// `None`: the message is a document, whose words need not be the user's.
    pub fn of(text: &'t str) -> Option<Self> {
        let mut mask = Mask {
            marks: vec![0; text.len()],
        };
        lines(text, &mut mask)?;
        spans(text, &mut mask);
        let mut shadow = String::with_capacity(text.len());
        for ((at, c), plain) in text.char_indices().zip(normal(text).chars()) {
            match mask.marks[at] {
                0 => shadow.push(plain),
                // Lines stay lines.
                _ if c == '\n' => shadow.push(c),
                mark => (0..c.len_utf8()).for_each(|_| shadow.push(mark as char)),
            }
        }
        Some(Plain { text, shadow })
    }
}

/// Marks whole lines: fences, indents, `>` quotations, and all that follows a sign of a paste.
fn lines(text: &str, mask: &mut Mask) -> Option<()> {
    let mut fence: Option<&str> = None;
    let (mut at, mut labels) = (0, 0);
    for whole in text.split_inclusive('\n') {
        let (from, to) = (at, at + whole.len());
        at = to;
        let line = whole.trim();
        let mark = ["```", "~~~"].into_iter().find(|f| line.starts_with(f));
        if fence.is_some() || mark.is_some() {
            mask.put(from, to, CODE);
            fence = match (fence, mark) {
                (None, opened) => opened.filter(|f| !line[3..].contains(f)),
                (Some(open), Some(close)) if open == close => None,
                (open, _) => open,
            };
            continue;
        }
        if line.starts_with('>') || line.starts_with('＞') {
            mask.put(from, to, QUOTED);
            continue;
        }
        if dialogue(line) {
            mask.put(from, to, QUOTED);
            continue;
        }
        let deep = ["    ", "\t", "\u{3000}"]
            .iter()
            .any(|i| whole.starts_with(i));
        if deep || from > 0 && whole.starts_with("  ") {
            mask.put(from, to, CODE);
            continue;
        }
        if letter(line) || line.contains("__") || placeholder(line) {
            return None;
        }
        labels += usize::from(label(line));
        if labels > 1 {
            return None;
        }
        if code_like(line) {
            mask.put(from, text.len(), CODE);
            break;
        }
    }
    Some(())
}

/// A line of a play: dashes open speech.
fn dialogue(line: &str) -> bool {
    ["—", "–", "――", "-- "].iter().any(|d| line.starts_with(d))
}

/// How letters open and close.
fn letter(line: &str) -> bool {
    const OPEN: &[&str] = &["dear ", "to whom ", "尊敬的", "亲爱的", "致："];
    const CLOSE: &[&str] = &[
        "sincerely",
        "yours ",
        "best",
        "regards",
        "cheers",
        "love",
        "respectfully",
        "kind regards",
        "best regards",
        "warm regards",
        "best wishes",
        "warmly",
        "all the best",
        "yours sincerely",
        "yours truly",
        "yours faithfully",
        "many thanks",
        "with kind regards",
        "thanks and regards",
        "此致",
        "敬礼",
        "敬上",
        "祝好",
        "顺祝商祺",
        "谨上",
    ];
    if line.len() > 120 {
        return false;
    }
    let line = normal(line);
    let bare = line.trim_end_matches([',', '，', '.', '!', '！', '。']);
    OPEN.iter().any(|o| line.starts_with(o)) || CLOSE.contains(&bare)
}

/// `<name>`, `{city}`, `[COMPANY]`: a template.
fn placeholder(line: &str) -> bool {
    line.char_indices().any(|(at, open)| {
        let close = match open {
            '<' => '>',
            '{' => '}',
            '[' => ']',
            _ => return false,
        };
        let inner = line[at + 1..]
            .chars()
            .take_while(|c| c.is_alphanumeric() || "_- ".contains(*c));
        let len: usize = inner.map(char::len_utf8).sum();
        (1..=24).contains(&len) && line[at + 1 + len..].starts_with(close)
    })
}

/// `Name: …`, as in transcripts, forms and the headers of a mail; not `my name: …`.
fn label(line: &str) -> bool {
    let line = line.trim_start_matches(['-', '*', '•', ' ']);
    let Some((head, rest)) = line.split_once([':', '：']) else {
        return false;
    };
    let wide = line[head.len()..].starts_with('：');
    let own = normal(head);
    (wide || rest.is_empty() || rest.starts_with([' ', '*']))
        && !head.is_empty()
        && head.chars().count() <= 24
        && head.split_whitespace().count() <= 3
        && !["my ", "我", "remember", "please", "note", "记", "请"]
            .iter()
            .any(|o| own.starts_with(o))
}

/// A line no person writes in plain prose.
fn code_like(line: &str) -> bool {
    const HEADS: &[&str] = &[
        "//", "/*", "<", "{", "}", "[", "$ ", "@", "#", "|", "===", "---", "***", "%", "\\",
        "diff ", "+ ", "index ", "begin", "import ", "#include", "def ", "echo ", "【",
    ];
    const WORDS: &[&str] = &[
        "let ",
        "const ",
        "var ",
        "class ",
        "fn ",
        "function ",
        "return ",
        "public ",
        "private ",
        "static ",
        "if ",
        "for ",
        "while ",
        "print",
        "select ",
        "insert ",
        "update ",
        "from ",
        "self.",
        "this.",
        "string ",
        "int ",
        "elif ",
        "else",
        "export ",
        "set ",
        "val ",
        "func ",
    ];
    const INSIDE: &[&str] = &[
        "=>", "==", "!=", "()", "</", "/>", "::", "->", " = ", "\":", "\": ", "&&", "||", "${",
        "{{", "\\n", "+=", " info ", " warn ", " error ", " debug ", "[info", "[warn", "[error",
        "[debug", " | ", "print(", "log(", "<!--", "/*", "*/", "%s", "\"\"\"", "'''", "={", "=\"",
        "='",
    ];
    if line.is_empty() {
        return false;
    }
    let low = normal(line);
    let bracketed = || low.contains(['=', '(', ')', '{', '}', ';', '*']);
    HEADS.iter().any(|h| low.starts_with(h))
        || (WORDS.iter().any(|w| low.starts_with(w)) && bracketed())
        || INSIDE.iter().any(|i| low.contains(i))
        || low.ends_with([';', '{', '}', '(', '=', '\\'])
        || dated(&low)
        || table(&low)
}

/// `2026-11-02 …`, `11:02:33 …`: a log.
fn dated(line: &str) -> bool {
    let first = line.split([' ', 't']).next().unwrap_or("");
    let digits = first.bytes().filter(u8::is_ascii_digit).count();
    digits >= 6
        && first
            .bytes()
            .all(|b| b.is_ascii_digit() || b"-/:.,z".contains(&b))
}

/// `a,b,c,d`: a row of values.
fn table(line: &str) -> bool {
    let bytes = line.as_bytes();
    let tight =
        |w: &&[u8]| matches!(w[0], b',' | b'\t' | b';') && w[1] > b' ' && !w[1].is_ascii_digit();
    bytes.windows(2).filter(tight).count() >= 2 && !line.contains(", ")
}

/// Marks what stands between quotation marks, in titles, in back-quotes and in comments. What is
/// opened and never closed runs to the end.
fn spans(text: &str, mask: &mut Mask) {
    let (mut at, mut unclosed_to) = (0, 0);
    while let Some(c) = text[at..].chars().next() {
        let from = at;
        at += c.len_utf8();
        if mask.marks[from] != 0 {
            continue;
        }
        let rest = &text[at..];
        let close: &[char] = match c {
            '`' => {
                // A run of back-quotes closes with a run as long.
                let run = text.len() - from - text[from..].trim_start_matches('`').len();
                let (open, body) = text[from..].split_at(run);
                at = body
                    .find(open)
                    .map_or(text.len(), |end| from + run + end + run);
                mask.put(from, at, CODE);
                continue;
            }
            '"' => &['"', '”'],
            '“' | '”' | '„' | '＂' => &['”', '“', '"', '＂'],
            '「' => &['」'],
            '『' => &['』'],
            '《' => &['》'],
            '〈' => &['〉'],
            '«' => &['»'],
            '»' => &['«'],
            '‹' => &['›'],
            // Once a line has no closing mark left, none of its opening ones need look again.
            '\'' if from < unclosed_to => continue,
            '‘' | '\'' if opens(text, from, rest) => match closing(rest) {
                Some(len) => {
                    at += len;
                    mask.put(from, at, QUOTED);
                    continue;
                }
                // ’cause, ’em: an apostrophe. ‘ always opens.
                None if c == '\'' => {
                    unclosed_to = at + rest.find('\n').unwrap_or(rest.len());
                    continue;
                }
                None => &['’'],
            },
            _ => continue,
        };
        at = match rest.char_indices().find(|(_, c)| close.contains(c)) {
            Some((end, c)) => at + end + c.len_utf8(),
            None => text.len(),
        };
        mask.put(from, at, QUOTED);
    }
}

/// Whether a single quotation mark opens here: after a gap, before a letter.
fn opens(text: &str, at: usize, rest: &str) -> bool {
    let before = text[..at].chars().next_back();
    before.is_none_or(|c| !c.is_alphanumeric() || super::normal::is_han(c))
        && rest.starts_with(|c: char| c.is_alphanumeric() || c == '…')
}

/// Where a single quotation mark closes, on its own line: not within a word.
fn closing(rest: &str) -> Option<usize> {
    let line = &rest[..rest.find('\n').unwrap_or(rest.len())];
    line.char_indices()
        .filter(|(_, c)| matches!(c, '\'' | '’'))
        .map(|(at, c)| at + c.len_utf8())
        .find(|end| !line[*end..].starts_with(char::is_alphanumeric))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str) -> String {
        Plain::of(text).map_or("document".into(), |p| {
            assert_eq!(p.shadow.len(), text.len());
            p.shadow.replace([CODE, QUOTED], "")
        })
    }

    #[test]
    fn code_and_quotations_are_blanked() {
        assert_eq!(plain("a `b` c"), "a  c");
        assert_eq!(plain("a\n```\nb\n```\nc"), "a\n\n\n\nc");
        assert_eq!(plain("a ``b ` c`` d"), "a  d");
        assert_eq!(plain("he said \"b\" c"), "he said  c");
        assert_eq!(plain("it's 'b' don't"), "it's  don't");
        assert_eq!(plain("他说“乙”，「丙」《丁》戊"), "他说，戊");
        assert_eq!(plain("a\n> b\nc"), "a\n\nc");
        assert_eq!(plain("a \"b"), "a ");
        assert_eq!(plain("a\nx = 1;\nb"), "a\n\n");
    }

    #[test]
    fn a_letter_or_a_transcript_is_a_document() {
        assert_eq!(plain("Dear Bob,\nI like it"), "document");
        assert_eq!(plain("hello\nBest regards,\nBob"), "document");
        assert_eq!(plain("User: hi\nBot: hello"), "document");
    }
}
