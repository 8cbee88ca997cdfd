//! Makes an input that is almost right out of some that are.

/// Longest input, 256 KiB: what takes longer than it says more.
const LONGEST: usize = 256 << 10;

/// Pieces that readers stumble over.
const PIECES: &[&[u8]] = &[
    b"\0",
    b"\n",
    b"\r\n",
    b"\t",
    b" ",
    b"\"",
    b"'",
    b"`",
    b"{",
    b"}",
    b"[",
    b"]",
    b"{{",
    b"}}",
    b"{%",
    b"%}",
    b"{{ ",
    b" }}",
    b":",
    b",",
    b"- ",
    b"? ",
    b"&a ",
    b"*a",
    b"<<: *a",
    b"!!binary ",
    b"|",
    b">",
    b"#",
    b"---\n",
    b"...\n",
    b"~",
    b"null",
    b"true",
    b"NaN",
    b".inf",
    b"-0",
    b"1e999",
    b"0x7f",
    b"18446744073709551616",
    b"9223372036854775807",
    b"-9223372036854775808",
    b"0.0000001",
    b"4294967296",
    b"\xef\xbb\xbf",
    b"\xff\xfe",
    b"\xc3",
    b"\xed\xa0\x80",
    b"\xe2\x80\xae",
    b"\\ud800",
    b"\\u0000",
    b"../",
    b"/",
    b"\\",
    b"=1+1",
    b"\xff\xd8",
    b"\xff\xda",
    b"\xff\xd9",
    b"IDAT",
    b"IEND",
    b"iCCP",
    b"acTL",
    b"tRNS",
    b"eXIf",
    b"VP8X",
    b"ALPH",
    b"ANMF",
    b"\x7f\xff\xff\xff",
    b"\x80\0\0\0",
    b"\xff\xff\xff\xff",
    b"\0\0\0\0",
];

/// A stream of numbers that a seed decides (splitmix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Returns a number below `end`, 0 if there is none.
    fn below(&mut self, end: usize) -> usize {
        if end == 0 { 0 } else { (self.roll() % end as u64) as usize }
    }
}

/// Returns the input of a seed.
pub fn input(seeds: &[Vec<u8>], is_png: bool, seed: u64) -> Vec<u8> {
    let mut dice = Dice(seed);
    let mut bytes = seeds[dice.below(seeds.len())].clone();
    let times = 1 + dice.below(4) + if dice.below(8) == 0 { dice.below(40) } else { 0 };
    for _ in 0..times {
        change(&mut bytes, seeds, &mut dice);
        bytes.truncate(LONGEST);
    }
    // Behind a wrong checksum nothing is read: most changes are sealed anew.
    if is_png && dice.below(4) > 0 {
        seal(&mut bytes);
    }
    bytes
}

fn change(bytes: &mut Vec<u8>, seeds: &[Vec<u8>], dice: &mut Dice) {
    let at = dice.below(bytes.len());
    let length = dice.below(bytes.len() - at).min(1 << dice.below(12));
    match dice.below(9) {
        0 if !bytes.is_empty() => bytes[at] ^= 1 << dice.below(8),
        1 if !bytes.is_empty() => bytes[at] = dice.roll() as u8,
        2 => drop(bytes.drain(at..at + length)),
        3 => {
            let copy = bytes[at..at + length].to_vec();
            let to = dice.below(bytes.len() + 1);
            bytes.splice(to..to, copy);
        }
        4 | 5 => {
            let piece = PIECES[dice.below(PIECES.len())].repeat(if dice.below(6) == 0 { 1 << dice.below(10) } else { 1 });
            bytes.splice(at..at, piece);
        }
        6 => {
            let piece = PIECES[dice.below(PIECES.len())];
            let end = bytes.len().min(at + piece.len());
            bytes.splice(at..end, piece.iter().copied());
        }
        7 => bytes.truncate(at),
        _ => {
            let other = &seeds[dice.below(seeds.len())];
            let from = dice.below(other.len());
            bytes.truncate(at);
            bytes.extend_from_slice(&other[from..]);
        }
    }
}

/// Gives every chunk of a PNG the checksum of what it has.
fn seal(bytes: &mut [u8]) {
    let mut at = 8;
    while let Some(length) = bytes.get(at..at + 4).map(|field| u32::from_be_bytes([field[0], field[1], field[2], field[3]]) as usize) {
        let Some(end) = at.checked_add(8).and_then(|start| start.checked_add(length)).filter(|end| end + 4 <= bytes.len()) else { return };
        let sum = !bytes[at + 4..end]
            .iter()
            .fold(u32::MAX, |sum, byte| (0..8).fold(sum ^ u32::from(*byte), |sum, _| if sum & 1 == 1 { (sum >> 1) ^ 0xedb8_8320 } else { sum >> 1 }));
        bytes[end..end + 4].copy_from_slice(&sum.to_be_bytes());
        at = end + 4;
    }
}
