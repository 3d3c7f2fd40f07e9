//! The choices of a generator of test cases: taken from the bytes of a fuzzer, or pseudorandom from a seed.
//!
//! When the bytes end, each choice is the first one, so a generator must come to an end with first choices alone.

/// Numbers at the edges of whole numbers, times and counts.
const EDGES: [i64; 18] = [
    0,
    1,
    -1,
    2,
    59,
    8_192,
    65_536,
    i32::MAX as i64,
    i32::MAX as i64 + 1,
    i32::MIN as i64,
    // Seconds, milliseconds and microseconds of the year 10000.
    253_402_300_800,
    253_402_300_800_000,
    253_402_300_800_000_000,
    1 << 53,
    1 << 62,
    i64::MAX - 1,
    i64::MAX,
    i64::MIN,
];

/// A source of choices.
#[derive(Debug, Clone)]
pub struct Choices<'b>(Source<'b>);

#[derive(Debug, Clone)]
enum Source<'b> {
    Bytes(&'b [u8]),
    /// The state of SplitMix64.
    Seed(u64),
}

impl<'b> Choices<'b> {
    /// The choices that the bytes of a fuzzer make.
    #[must_use]
    pub fn of(bytes: &'b [u8]) -> Self {
        Self(Source::Bytes(bytes))
    }

    /// Pseudorandom choices, the same for the same seed.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self(Source::Seed(seed))
    }

    /// A number of this many bytes, eight at most.
    fn draw(&mut self, bytes: usize) -> u64 {
        match &mut self.0 {
            Source::Bytes(rest) => {
                let all: &'b [u8] = rest;
                let (taken, left) = all.split_at(bytes.min(all.len()));
                *rest = left;
                taken.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
            }
            Source::Seed(state) => {
                *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
                let mut number = *state;
                number = (number ^ (number >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
                number = (number ^ (number >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
                (number ^ (number >> 31)) >> (64 - 8 * bytes)
            }
        }
    }

    /// A number below `bound`.
    ///
    /// # Panics
    ///
    /// If `bound` is 0.
    pub fn below(&mut self, bound: usize) -> usize {
        let bytes = match bound {
            0..=0x100 => 1,
            0x101..=0x1_0000 => 2,
            _ => 8,
        };
        let drawn = self.draw(bytes) % u64::try_from(bound).expect("a size fits 64 bits");
        usize::try_from(drawn).expect("it is below a size")
    }

    /// True once in `times`, and never when the bytes have ended.
    pub fn once_in(&mut self, times: usize) -> bool {
        self.below(times) + 1 == times
    }

    /// One of the values.
    ///
    /// # Panics
    ///
    /// If there is none.
    pub fn one_of<'l, T>(&mut self, values: &'l [T]) -> &'l T {
        &values[self.below(values.len())]
    }

    /// Any whole number, often one at an edge.
    pub fn integer(&mut self) -> i64 {
        match self.below(4) {
            0 | 1 => *self.one_of(&EDGES),
            2 => self.below(100) as i64,
            _ => self.draw(8).cast_signed(),
        }
    }

    /// At most `max` bytes.
    pub fn bytes(&mut self, max: usize) -> Vec<u8> {
        let length = self.below(max + 1);
        (0..length).map(|_| self.draw(1) as u8).collect()
    }

    /// A text of at most `max` characters: letters, signs that formats treat specially, and any others.
    pub fn text(&mut self, max: usize) -> String {
        const SIGNS: [char; 16] =
            ['a', ' ', '\'', '"', '\\', '%', '_', ',', '\n', '\0', '{', '/', 'ü', '\u{feff}', '\u{202e}', '😀'];
        let length = self.below(max + 1);
        let character = |choices: &mut Self| match choices.below(8) {
            0..=3 => (b'a' + choices.below(26) as u8) as char,
            4..=6 => *choices.one_of(&SIGNS),
            _ => char::from_u32(choices.draw(4) as u32 % 0x11_0000).unwrap_or('?'),
        };
        (0..length).map(|_| character(self)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_and_the_same_bytes_make_the_same_choices() {
        let of =
            |mut choices: Choices<'_>| (choices.integer(), choices.text(20), choices.bytes(20), choices.below(1_000));
        assert_eq!(of(Choices::seeded(7)), of(Choices::seeded(7)));
        assert_ne!(of(Choices::seeded(7)), of(Choices::seeded(8)));
        let bytes: Vec<u8> = (0..=255).rev().collect();
        assert_eq!(of(Choices::of(&bytes)), of(Choices::of(&bytes)));
        assert_ne!(of(Choices::of(&bytes)), of(Choices::of(&bytes[1..])));
    }

    #[test]
    fn when_the_bytes_end_the_first_choice_is_made() {
        let mut choices = Choices::of(&[1]);
        assert_eq!(choices.below(5), 1);
        assert_eq!((choices.below(5), choices.below(70_000), choices.once_in(2)), (0, 0, false));
        assert_eq!((choices.bytes(9), choices.text(9), choices.integer()), (Vec::new(), String::new(), 0));
    }

    #[test]
    fn every_value_below_a_bound_is_chosen() {
        let mut choices = Choices::seeded(1);
        for bound in [1, 2, 7, 256, 300] {
            let mut seen = vec![false; bound];
            (0..bound * 40).for_each(|_| seen[choices.below(bound)] = true);
            assert!(seen.iter().all(|seen| *seen), "{bound}");
        }
    }
}
