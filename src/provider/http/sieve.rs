//! A picture taken out of a JSON answer while the answer comes.
//!
//! ```text
//! {"data":[{"b64_json":"iVBORw0…"}],"usage":{…}}  ─▶  pieces of the picture
//!                                                  ─▶  {"data":[{"b64_json":""}],"usage":{…}}, read as JSON once all of it is there
//! ```
//!
//! In: the bytes of an answer, in any pieces; the places where its picture may stand. Out: the picture, decoded; the answer without it.
//! Never: the picture in memory; a word on whether the answer is JSON. What is wrong with the answer is wrong with the rest of it too,
//! and that is read strictly.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use super::place::{Place, Step};

/// Largest answer without its picture, 8 MiB.
const MOST_REST: usize = 8 << 20;

/// Deepest level that is followed: a reader of JSON refuses deeper ones.
const DEEPEST: usize = 130;

/// Longest name that is compared with a place's.
const LONGEST_NAME: usize = 512;

/// Longest beginning of a `data:` address.
const LONGEST_PREFIX: usize = 256;

/// Takes the first picture out of an answer.
pub(super) struct Sieve {
    places: Vec<Place>,
    rest: Vec<u8>,
    is_too_large: bool,
    /// Where the next value stands; what is open around it.
    levels: Vec<Level>,
    /// Whether the levels can no longer be told: then nothing further is taken out.
    is_lost: bool,
    inside: Inside,
    picture: Option<Base64>,
    pieces: Vec<Vec<u8>>,
}

struct Level {
    step: Step,
    /// In a map: whether a name comes next.
    name_next: bool,
}

/// What the next byte belongs to.
enum Inside {
    /// The structure.
    Between,
    /// A text that stays; `name` collects one of a map.
    Text { escaped: bool, name: Option<Vec<u8>> },
    /// A text where a picture may stand; `escape` is empty outside of one.
    Picture { escape: Vec<u8>, is_first: bool, is_empty: bool },
}

impl Sieve {
    /// Begins; `None` if one of the places is inside a text, or hangs on a flag that may follow: both are read as a whole.
    pub(super) fn new(places: &[Place]) -> Option<Self> {
        places.iter().all(Place::is_plain).then(|| Self {
            places: places.to_vec(),
            rest: Vec::new(),
            is_too_large: false,
            levels: Vec::new(),
            is_lost: false,
            inside: Inside::Between,
            picture: None,
            pieces: Vec::new(),
        })
    }

    /// Takes the next bytes of the answer.
    pub(super) fn feed(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && !self.is_too_large {
            let used = match &mut self.inside {
                Inside::Between => self.between(bytes),
                Inside::Text { .. } => self.text(bytes),
                Inside::Picture { .. } => self.in_picture(bytes),
            };
            bytes = bytes.get(used..).unwrap_or_default();
            self.is_too_large = self.rest.len() > MOST_REST;
        }
    }

    /// Returns whether the answer is past its limit even without its picture.
    pub(super) fn is_too_large(&self) -> bool {
        self.is_too_large
    }

    /// Returns the next piece of the picture, if there is one.
    pub(super) fn piece(&mut self) -> Option<Vec<u8>> {
        (!self.pieces.is_empty()).then(|| self.pieces.remove(0))
    }

    /// Returns whether a text stood where the picture may stand, readable or not.
    pub(super) fn has_picture(&self) -> bool {
        self.picture.is_some()
    }

    /// Ends: returns the answer without its picture, and why there is none.
    pub(super) fn end(self) -> (Result<Vec<u8>, String>, Result<(), String>) {
        let rest = if self.is_too_large { Err(format!("without its picture it is larger than {} MB", MOST_REST >> 20)) } else { Ok(self.rest) };
        let picture = match self.picture {
            None => Err("the answer holds no picture".to_owned()),
            Some(Base64 { wrong: Some(why), .. }) => Err(format!("the picture in the answer cannot be read: {why}")),
            Some(_) => Ok(()),
        };
        (rest, picture)
    }

    /// Follows the structure up to the next text.
    fn between(&mut self, bytes: &[u8]) -> usize {
        for (at, byte) in bytes.iter().enumerate() {
            if *byte == b'"' {
                self.rest.extend_from_slice(&bytes[..=at]);
                self.inside = self.begun();
                return at + 1;
            }
            self.follow(*byte);
        }
        self.rest.extend_from_slice(bytes);
        bytes.len()
    }

    fn follow(&mut self, byte: u8) {
        if self.is_lost {
            return;
        }
        let is_deep = self.levels.len() >= DEEPEST;
        match (byte, self.levels.last_mut()) {
            (b'{' | b'[', _) if is_deep => self.is_lost = true,
            (b'{', _) => self.levels.push(Level { step: Step::Key(None), name_next: true }),
            (b'[', _) => self.levels.push(Level { step: Step::Index(0), name_next: false }),
            (b'}' | b']', Some(_)) => drop(self.levels.pop()),
            (b'}' | b']', None) => self.is_lost = true,
            (b',', Some(Level { step: Step::Index(index), .. })) => *index = index.saturating_add(1),
            (b',', Some(level)) => level.name_next = true,
            (b':', Some(level)) => level.name_next = false,
            _ => {}
        }
    }

    /// Says what a text is that begins here.
    fn begun(&self) -> Inside {
        let is_name = self.levels.last().is_some_and(|level| level.name_next);
        if is_name || self.is_lost {
            return Inside::Text { escaped: false, name: (is_name && !self.is_lost).then(Vec::new) };
        }
        let path: Vec<&Step> = self.levels.iter().map(|level| &level.step).collect();
        match self.places.iter().any(|place| place.leads_to(&path)) {
            true => Inside::Picture { escape: Vec::new(), is_first: self.picture.is_none(), is_empty: true },
            false => Inside::Text { escaped: false, name: None },
        }
    }

    /// Copies a text up to its end.
    fn text(&mut self, bytes: &[u8]) -> usize {
        let Inside::Text { escaped, name } = &mut self.inside else { return 0 };
        let mut end = None;
        for (at, byte) in bytes.iter().enumerate() {
            match byte {
                _ if *escaped => *escaped = false,
                b'\\' => *escaped = true,
                b'"' => {
                    end = Some(at);
                    break;
                }
                _ => {}
            }
        }
        let used = end.map_or(bytes.len(), |at| at + 1);
        if let Some(name) = name {
            let more = &bytes[..end.unwrap_or(bytes.len())];
            name.extend_from_slice(&more[..more.len().min(LONGEST_NAME + 1 - name.len().min(LONGEST_NAME + 1))]);
        }
        self.rest.extend_from_slice(&bytes[..used]);
        if end.is_some() {
            if let (Some(name), Some(level)) = (name.take(), self.levels.last_mut()) {
                level.step = Step::Key(read_name(&name));
            }
            self.inside = Inside::Between;
        }
        used
    }

    /// Decodes a text up to its end, or passes it by if it is not the first.
    fn in_picture(&mut self, bytes: &[u8]) -> usize {
        let Inside::Picture { escape, is_first, is_empty } = &mut self.inside else { return 0 };
        if !escape.is_empty() {
            escape.push(bytes[0]);
            if let Some(meant) = unescaped(escape) {
                escape.clear();
                if *is_first {
                    // Zero is in no base64: what else is escaped makes the picture unreadable.
                    self.picture.get_or_insert_default().feed(&[meant.unwrap_or(0)], &mut self.pieces);
                }
            }
            return 1;
        }
        let end = bytes.iter().position(|byte| matches!(byte, b'"' | b'\\')).unwrap_or(bytes.len());
        if end > 0 {
            *is_empty = false;
            if *is_first {
                self.picture.get_or_insert_default().feed(&bytes[..end], &mut self.pieces);
            }
            return end;
        }
        if bytes[0] == b'\\' {
            *is_empty = false;
            escape.push(b'\\');
            return 1;
        }
        if let Some(picture) = self.picture.as_mut().filter(|_| *is_first && !*is_empty) {
            picture.finish(&mut self.pieces);
        }
        self.rest.push(b'"');
        self.inside = Inside::Between;
        1
    }
}

/// Reads a name of a map; `None` if it is too long to be one of a place's, or none at all.
fn read_name(raw: &[u8]) -> Option<String> {
    if raw.len() > LONGEST_NAME {
        return None;
    }
    serde_json::from_slice(&[b"\"", raw, b"\""].concat()).ok()
}

/// Returns what an escape means once it is whole: a letter of base64, or `None` inside.
fn unescaped(escape: &[u8]) -> Option<Option<u8>> {
    match escape {
        [b'\\'] => None,
        [b'\\', b'u', digits @ ..] if digits.len() < 4 => None,
        [b'\\', b'u', digits @ ..] => {
            let code = std::str::from_utf8(digits).ok().and_then(|digits| u8::from_str_radix(digits, 16).ok());
            Some(code.filter(u8::is_ascii_graphic))
        }
        [b'\\', b'/'] => Some(Some(b'/')),
        _ => Some(None),
    }
}

/// Base64 decoded as it comes, bare or as a `data:` address, with or without padding.
#[derive(Default)]
struct Base64 {
    /// Whether the beginning is behind us.
    is_bare: bool,
    /// What is not decoded yet.
    carry: Vec<u8>,
    padded: bool,
    wrong: Option<String>,
    decoded: usize,
}

impl Base64 {
    fn feed(&mut self, text: &[u8], pieces: &mut Vec<Vec<u8>>) {
        if self.wrong.is_some() {
            return;
        }
        self.carry.extend_from_slice(text);
        if !self.is_bare && !self.strip_prefix() {
            return;
        }
        if self.padded {
            if self.carry.iter().any(|byte| *byte != b'=') {
                self.wrong = Some("it is no base64: it goes on after its padding".to_owned());
            }
            return self.carry.clear();
        }
        let padding = self.carry.iter().position(|byte| *byte == b'=');
        let tail = padding.map(|at| self.carry.split_off(at));
        let whole = self.carry.len() / 4 * 4;
        // What follows the padding is looked at with what comes next; the letters before it are the last ones.
        self.decode(if tail.is_some() { self.carry.len() } else { whole }, pieces);
        if let Some(tail) = tail {
            self.padded = true;
            self.carry.clear();
            self.feed(&tail, pieces);
        }
    }

    /// Takes the beginning of a `data:` address away; returns whether what is left is base64.
    fn strip_prefix(&mut self) -> bool {
        const MARK: &[u8] = b";base64,";
        if !self.carry.starts_with(b"data:") {
            self.is_bare = !b"data:".starts_with(self.carry.as_slice());
            return self.is_bare;
        }
        match self.carry.windows(MARK.len()).position(|window| window == MARK) {
            Some(at) => {
                self.carry.drain(..at + MARK.len());
                self.is_bare = true;
            }
            None if self.carry.len() > LONGEST_PREFIX => self.wrong = Some("it is a `data:` address without base64".to_owned()),
            None => {}
        }
        self.is_bare
    }

    fn decode(&mut self, length: usize, pieces: &mut Vec<Vec<u8>>) {
        if length == 0 {
            return;
        }
        match STANDARD_NO_PAD.decode(&self.carry[..length]) {
            Ok(bytes) => {
                self.decoded += bytes.len();
                pieces.push(bytes);
                self.carry.drain(..length);
            }
            Err(_) => self.wrong = Some("it is no base64".to_owned()),
        }
    }

    fn finish(&mut self, pieces: &mut Vec<Vec<u8>>) {
        if self.wrong.is_some() {
            return;
        }
        if !self.is_bare && self.carry.starts_with(b"data:") {
            self.wrong = Some("it is a `data:` address without base64".to_owned());
            return;
        }
        self.decode(self.carry.len(), pieces);
        if self.decoded == 0 && self.wrong.is_none() {
            self.wrong = Some("it is empty".to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::super::body;
    use super::*;

    fn places(texts: &[&str]) -> Vec<Place> {
        texts.iter().map(|text| text.parse().expect("a place")).collect()
    }

    /// Sifts an answer that comes in pieces of this size.
    fn sifted(answer: &[u8], size: usize, at: &[&str]) -> (Result<Value, String>, Result<Vec<u8>, String>) {
        let mut sieve = Sieve::new(&places(at)).expect("plain places");
        let mut picture = Vec::new();
        for piece in answer.chunks(size.max(1)) {
            sieve.feed(piece);
            while let Some(piece) = sieve.piece() {
                picture.extend(piece);
            }
        }
        let (rest, found) = sieve.end();
        (rest.and_then(|rest| body::read(&rest)), found.map(|()| picture))
    }

    const AT: &[&str] = &["/data/*/b64_json"];

    #[test]
    fn the_picture_is_taken_out_and_the_rest_is_kept_however_the_answer_is_cut() {
        let answer =
            br#" {"created":1,"a \"b64_json\":":[1,{"b64_json":"no"}],"data":[{"revised":"\\","b64_json":"aGVsbG8=","x":{}}],"usage":{"out":7}} "#;
        let rest: Value = json!({ "created": 1, "a \"b64_json\":": [1, { "b64_json": "no" }], "data": [{ "revised": "\\", "b64_json": "", "x": {} }], "usage": { "out": 7 } });
        for size in 1..answer.len() {
            assert_eq!(sifted(answer, size, AT), (Ok(rest.clone()), Ok(b"hello".to_vec())), "pieces of {size}");
        }
    }

    #[test]
    fn every_way_to_write_base64_in_json_is_read() {
        let texts = ["aGk/aGk/", "aGk\\/aGk\\u002f", "aGk\\u002FaGk/", "data:image/png;base64,aGk/aGk/", "data:;base64,aGk/aGk\\/"];
        for text in texts {
            for size in [1, 3, 1000] {
                let (_, picture) = sifted(format!(r#"{{"data":[{{"b64_json":"{text}"}}]}}"#).as_bytes(), size, AT);
                assert_eq!(picture, Ok(b"hi?hi?".to_vec()), "{text} in pieces of {size}");
            }
        }
        for (text, wanted) in [("aA==", "h"), ("aA", "h"), ("aGk=", "hi"), ("aGk\\u003d", "hi")] {
            let (_, picture) = sifted(format!(r#"{{"data":[{{"b64_json":"{text}"}}]}}"#).as_bytes(), 2, AT);
            assert_eq!(picture, Ok(wanted.as_bytes().to_vec()), "{text}");
        }
    }

    #[test]
    fn what_is_no_picture_is_said_and_the_rest_is_read_all_the_same() {
        let cases = [
            (r#""aGV sbG8=""#, "the picture in the answer cannot be read: it is no base64"),
            (r#""aGVsbG8=aGVs""#, "the picture in the answer cannot be read: it is no base64: it goes on after its padding"),
            (r#""aGVsbG8\n""#, "the picture in the answer cannot be read: it is no base64"),
            (r#""aGVsb""#, "the picture in the answer cannot be read: it is no base64"),
            (r#""data:text/plain,hello""#, "the picture in the answer cannot be read: it is a `data:` address without base64"),
            (r#""data:image/png;base64,""#, "the picture in the answer cannot be read: it is empty"),
            (r#""""#, "the answer holds no picture"),
            ("null", "the answer holds no picture"),
            ("7", "the answer holds no picture"),
        ];
        for (text, said) in cases {
            let answer = format!(r#"{{"data":[{{"b64_json":{text}}}],"usage":7}}"#);
            for size in [1, 7, 1000] {
                let (rest, picture) = sifted(answer.as_bytes(), size, AT);
                assert_eq!((rest.map(|rest| rest["usage"].clone()), picture.err().as_deref()), (Ok(json!(7)), Some(said)), "{text}");
            }
        }
    }

    #[test]
    fn the_first_of_several_pictures_is_taken_and_no_other_is_kept() {
        let large = "QUJD".repeat(1 << 18);
        let answer = format!(r#"{{"data":[{{"b64_json":""}},{{"b64_json":"aGVsbG8="}},{{"b64_json":"{large}"}}],"n":3}}"#);
        let (rest, picture) = sifted(answer.as_bytes(), 4096, AT);
        assert_eq!(picture, Ok(b"hello".to_vec()));
        assert_eq!(rest, Ok(json!({ "data": [{ "b64_json": "" }, { "b64_json": "" }, { "b64_json": "" }], "n": 3 })));
        assert_eq!(sifted(br#"{"images":["aGVsbG8=","eA=="]}"#, 5, &["/images"]).1, Ok(b"hello".to_vec()));
        assert_eq!(sifted(br#"{"images":["aGVsbG8=","eA=="]}"#, 5, &["/images/1"]).1, Ok(b"x".to_vec()));
        assert!(Sieve::new(&places(&["/data/@json/b64"])).is_none());
    }

    #[test]
    fn what_is_no_json_stays_none() {
        for answer in [
            &br#"{"data":[{"b64_json":"aGVsbG8="}]"#[..],
            br#"{"data":[{"b64_json":"aGVsbG8"#,
            br#"{"data":[{"b64_json":"aGVsbG8=" "x"}]}"#,
            br#"{"data":[{"b64_json":"aGVsbG8=","b64_json":"aGVsbG8="}]}"#,
            br#"]]]{"data":[{"b64_json":"aGVsbG8="}]}"#,
            b"",
        ] {
            assert!(sifted(answer, 3, AT).0.is_err(), "{}", String::from_utf8_lossy(answer));
        }
        let deep = format!("{}{}", "[".repeat(1000), "]".repeat(1000));
        assert!(sifted(deep.as_bytes(), 64, AT).0.is_err());
        let long = format!(r#"{{"x":"{}"}}"#, "a b ".repeat(4 << 20));
        assert_eq!(sifted(long.as_bytes(), 64 << 10, AT).0, Err("without its picture it is larger than 8 MB".to_owned()));
    }

    proptest! {
        #[test]
        fn any_bytes_in_any_pieces_end_in_the_same_words(bytes in prop::collection::vec(prop::sample::select(br#"{}[]",:\u02fdata*b64_json= 0"#.to_vec()), 0..200), size in 1_usize..9) {
            prop_assert_eq!(sifted(&bytes, size, AT), sifted(&bytes, bytes.len(), AT));
        }

        #[test]
        fn any_picture_comes_out_as_it_went_in(picture in prop::collection::vec(any::<u8>(), 1..4000), size in 1_usize..600, more in any::<u32>()) {
            let text = base64::engine::general_purpose::STANDARD.encode(&picture);
            let answer = json!({ "more": more, "data": [{ "b64_json": text }], "then": [more] }).to_string();
            let (rest, found) = sifted(answer.as_bytes(), size, AT);
            prop_assert_eq!(found, Ok(picture));
            prop_assert_eq!(rest, Ok(json!({ "more": more, "data": [{ "b64_json": "" }], "then": [more] })));
        }
    }
}
