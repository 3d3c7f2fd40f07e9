//! The boolean entropy encoder of RFC 6386, section 7.3: bits with known probabilities in, bytes out.

/// An arithmetic coder of bits, each with its probability of being false.
pub(crate) struct BoolCoder {
    output: Vec<u8>,
    range: u32,
    bottom: u32,
    /// Shifts left until the next byte is complete.
    shifts: u32,
}

impl BoolCoder {
    pub(crate) fn new() -> Self {
        Self { output: Vec::with_capacity(1024), range: 255, bottom: 0, shifts: 24 }
    }

    /// Writes one bit; `probability_of_false` is in 256ths and never 0.
    pub(crate) fn bit(&mut self, probability_of_false: u8, bit: bool) {
        let split = 1 + (((self.range - 1) * u32::from(probability_of_false)) >> 8);
        if bit {
            self.bottom = self.bottom.wrapping_add(split);
            self.range -= split;
        } else {
            self.range = split;
        }
        while self.range < 128 {
            self.range <<= 1;
            if self.bottom & (1 << 31) != 0 {
                self.carry();
            }
            self.bottom <<= 1;
            self.shifts -= 1;
            if self.shifts == 0 {
                self.output.push((self.bottom >> 24) as u8);
                self.bottom &= (1 << 24) - 1;
                self.shifts = 8;
            }
        }
    }

    /// Writes `count` bits of `value`, the highest first, each with a probability of one half.
    pub(crate) fn literal(&mut self, value: u32, count: u32) {
        for position in (0..count).rev() {
            self.bit(128, (value >> position) & 1 == 1);
        }
    }

    /// Propagates a carry through the bytes already written.
    fn carry(&mut self) {
        for byte in self.output.iter_mut().rev() {
            if *byte == 255 {
                *byte = 0;
            } else {
                *byte += 1;
                return;
            }
        }
    }

    /// Flushes the pending bits and returns the bytes.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        let mut value = self.bottom;
        if value & (1 << (32 - self.shifts)) != 0 {
            self.carry();
        }
        value <<= self.shifts & 7;
        for _ in 0..self.shifts / 8 {
            value <<= 8;
        }
        self.output.extend_from_slice(&value.to_be_bytes());
        self.output
    }
}
