//! SHA-256 of sixteen messages at once, with AVX-512: one register has word n of all messages, a message in each lane.
//!
//! ```text
//! a block of each message ─▶ words, byte-swapped ─▶ 16 × 16 transposed ─▶ 64 rounds ─▶ state, a message in each lane
//! ```
//!
//! If the processor or the platform has no AVX-512, there are no [`Lanes`].

#[cfg(target_arch = "x86_64")]
pub(super) use avx512::Lanes;

/// This platform has no lanes.
#[cfg(not(target_arch = "x86_64"))]
#[derive(Debug, Clone, Copy)]
pub(super) enum Lanes {}

#[cfg(not(target_arch = "x86_64"))]
impl Lanes {
    pub(super) fn new() -> Option<Self> {
        None
    }

    pub(super) fn hash(self, _: &[u8], _: usize, _: &mut [tlog_tiles::Hash]) {
        match self {}
    }
}

#[cfg(target_arch = "x86_64")]
mod avx512 {
    use crate::sha256::{BLOCK, INITIAL, LANES};
    use pulp::x86::V4;
    use std::arch::x86_64::__m512i;
    use tlog_tiles::Hash;

    /// FIPS 180-4, section 4.2.2.
    const ROUNDS: [u32; 64] = [
        0x428a_2f98,
        0x7137_4491,
        0xb5c0_fbcf,
        0xe9b5_dba5,
        0x3956_c25b,
        0x59f1_11f1,
        0x923f_82a4,
        0xab1c_5ed5,
        0xd807_aa98,
        0x1283_5b01,
        0x2431_85be,
        0x550c_7dc3,
        0x72be_5d74,
        0x80de_b1fe,
        0x9bdc_06a7,
        0xc19b_f174,
        0xe49b_69c1,
        0xefbe_4786,
        0x0fc1_9dc6,
        0x240c_a1cc,
        0x2de9_2c6f,
        0x4a74_84aa,
        0x5cb0_a9dc,
        0x76f9_88da,
        0x983e_5152,
        0xa831_c66d,
        0xb003_27c8,
        0xbf59_7fc7,
        0xc6e0_0bf3,
        0xd5a7_9147,
        0x06ca_6351,
        0x1429_2967,
        0x27b7_0a85,
        0x2e1b_2138,
        0x4d2c_6dfc,
        0x5338_0d13,
        0x650a_7354,
        0x766a_0abb,
        0x81c2_c92e,
        0x9272_2c85,
        0xa2bf_e8a1,
        0xa81a_664b,
        0xc24b_8b70,
        0xc76c_51a3,
        0xd192_e819,
        0xd699_0624,
        0xf40e_3585,
        0x106a_a070,
        0x19a4_c116,
        0x1e37_6c08,
        0x2748_774c,
        0x34b0_bcb5,
        0x391c_0cb3,
        0x4ed8_aa4a,
        0x5b9c_ca4f,
        0x682e_6ff3,
        0x748f_82ee,
        0x78a5_636f,
        0x84c8_7814,
        0x8cc7_0208,
        0x90be_fffa,
        0xa450_6ceb,
        0xbef9_a3f7,
        0xc671_78f2,
    ];

    /// Evidence that the processor has AVX-512.
    #[derive(Debug, Clone, Copy)]
    pub(in crate::sha256) struct Lanes(V4);

    impl Lanes {
        pub(in crate::sha256) fn new() -> Option<Self> {
            V4::try_new().map(Self)
        }

        /// The hashes of at most [`LANES`] padded messages of `count` blocks each.
        pub(in crate::sha256) fn hash(self, messages: &[u8], count: usize, hashes: &mut [Hash]) {
            self.0.vectorize(Job { simd: self.0, messages, count, hashes });
        }
    }

    struct Job<'m> {
        simd: V4,
        messages: &'m [u8],
        count: usize,
        hashes: &'m mut [Hash],
    }

    impl pulp::NullaryFnOnce for Job<'_> {
        type Output = ();

        // Everything must be inlined into one function that is compiled for AVX-512.
        #[inline(always)]
        fn call(self) {
            let mut state = INITIAL.map(|word| splat(self.simd, word));
            for block in 0..self.count {
                let words = words(self.simd, self.messages, self.count, block);
                state = compress(self.simd, state, words);
            }
            let state: [[u32; LANES]; 8] = state.map(pulp::cast);
            for (lane, hash) in self.hashes.iter_mut().enumerate().take(LANES) {
                for (place, words) in hash.0.chunks_exact_mut(4).zip(&state) {
                    place.copy_from_slice(&words[lane].to_be_bytes());
                }
            }
        }
    }

    #[inline(always)]
    fn splat(simd: V4, word: u32) -> __m512i {
        simd.avx512f._mm512_set1_epi32(word as i32)
    }

    /// Word n of block `block` of all messages, at index n. Lanes without a message repeat the first message.
    #[inline(always)]
    fn words(simd: V4, messages: &[u8], count: usize, block: usize) -> [__m512i; 16] {
        const BIG_ENDIAN: [u8; BLOCK] = {
            let mut order = [0; BLOCK];
            let mut byte = 0;
            while byte < BLOCK {
                // Within each sixteen bytes, as the instruction counts them.
                order[byte] = ((byte % 16) ^ 3) as u8;
                byte += 1;
            }
            order
        };
        let f = simd.avx512f;
        let order = pulp::cast(BIG_ENDIAN);
        let first = messages.first_chunk::<BLOCK>().unwrap_or(&[0; BLOCK]);
        let rows: [__m512i; LANES] = std::array::from_fn(|lane| {
            let start = (lane * count + block) * BLOCK;
            let own = messages.get(start..).and_then(|rest| rest.first_chunk::<BLOCK>());
            simd.avx512bw._mm512_shuffle_epi8(pulp::cast(*own.unwrap_or(first)), order)
        });
        // Transposed in four steps: pairs of rows by 32 bits, by 64 bits, and twice by 128 bits.
        let mut pairs = rows;
        for i in 0..8 {
            pairs[2 * i] = f._mm512_unpacklo_epi32(rows[2 * i], rows[2 * i + 1]);
            pairs[2 * i + 1] = f._mm512_unpackhi_epi32(rows[2 * i], rows[2 * i + 1]);
        }
        let mut fours = rows;
        for i in [0, 4, 8, 12] {
            fours[i] = f._mm512_unpacklo_epi64(pairs[i], pairs[i + 2]);
            fours[i + 1] = f._mm512_unpackhi_epi64(pairs[i], pairs[i + 2]);
            fours[i + 2] = f._mm512_unpacklo_epi64(pairs[i + 1], pairs[i + 3]);
            fours[i + 3] = f._mm512_unpackhi_epi64(pairs[i + 1], pairs[i + 3]);
        }
        let mut eights = rows;
        for i in [0, 1, 2, 3, 8, 9, 10, 11] {
            eights[i] = f._mm512_shuffle_i32x4::<0x88>(fours[i], fours[i + 4]);
            eights[i + 4] = f._mm512_shuffle_i32x4::<0xdd>(fours[i], fours[i + 4]);
        }
        let mut words = rows;
        for i in 0..8 {
            words[i] = f._mm512_shuffle_i32x4::<0x88>(eights[i], eights[i + 8]);
            words[i + 8] = f._mm512_shuffle_i32x4::<0xdd>(eights[i], eights[i + 8]);
        }
        words
    }

    /// FIPS 180-4, section 6.2.2, with its names.
    #[inline(always)]
    fn compress(simd: V4, state: [__m512i; 8], mut words: [__m512i; 16]) -> [__m512i; 8] {
        let instructions = simd.avx512f;
        let add = |x, y| instructions._mm512_add_epi32(x, y);
        let xor = |x, y, z| instructions._mm512_ternarylogic_epi32::<0x96>(x, y, z);
        let choose = |x, y, z| instructions._mm512_ternarylogic_epi32::<0xca>(x, y, z);
        let majority = |x, y, z| instructions._mm512_ternarylogic_epi32::<0xe8>(x, y, z);
        macro_rules! rotate {
            ($by:literal, $word:expr) => {
                instructions._mm512_ror_epi32::<$by>($word)
            };
        }
        // Unrolled sixteen times, so that state and words stay in registers without moves.
        macro_rules! sixteen {
            ($step:ident) => {
                $step!(0);
                $step!(1);
                $step!(2);
                $step!(3);
                $step!(4);
                $step!(5);
                $step!(6);
                $step!(7);
                $step!(8);
                $step!(9);
                $step!(10);
                $step!(11);
                $step!(12);
                $step!(13);
                $step!(14);
                $step!(15);
            };
        }
        let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = state;
        for (sixteenth, constants) in ROUNDS.as_chunks::<16>().0.iter().enumerate() {
            macro_rules! schedule {
                ($n:literal) => {
                    let (before, newer) = (words[($n + 1) % 16], words[($n + 14) % 16]);
                    let sigma0 =
                        xor(rotate!(7, before), rotate!(18, before), instructions._mm512_srli_epi32::<3>(before));
                    let sigma1 =
                        xor(rotate!(17, newer), rotate!(19, newer), instructions._mm512_srli_epi32::<10>(newer));
                    words[$n] = add(add(words[$n], sigma0), add(words[($n + 9) % 16], sigma1));
                };
            }
            macro_rules! round {
                ($n:literal) => {
                    let sum1 = xor(rotate!(6, e), rotate!(11, e), rotate!(25, e));
                    let known = add(h, add(splat(simd, constants[$n]), words[$n]));
                    let t1 = add(known, add(sum1, choose(e, f, g)));
                    let sum0 = xor(rotate!(2, a), rotate!(13, a), rotate!(22, a));
                    let t2 = add(sum0, majority(a, b, c));
                    (h, g, f, e, d, c, b, a) = (g, f, e, add(d, t1), c, b, a, add(t1, t2));
                };
            }
            if sixteenth > 0 {
                sixteen!(schedule);
            }
            sixteen!(round);
        }
        let end = [a, b, c, d, e, f, g, h];
        std::array::from_fn(|word| add(state[word], end[word]))
    }
}
