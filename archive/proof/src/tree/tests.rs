//! The trees against those of `tlog_tiles`, and against numbers that Go's golang.org/x/mod/sumdb/tlog made.

use super::*;
use proptest::prelude::*;
use tlog_tiles::{Error, HashReader, prove_record, prove_tree, record_hash, stored_hashes_for_record_hash, tree_hash};

/// The hashes of a log in the order in which `tlog_tiles` stores them.
#[derive(Default)]
struct Store(Vec<Hash>);

impl HashReader for Store {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, Error> {
        Ok(indexes.iter().map(|index| self.0[*index as usize]).collect())
    }
}

impl Store {
    fn of(leaves: &[Hash]) -> Self {
        let mut store = Self::default();
        for (index, leaf) in leaves.iter().enumerate() {
            let hashes = stored_hashes_for_record_hash(index as u64, *leaf, &store).unwrap();
            store.0.extend(hashes);
        }
        store
    }
}

fn leaves(count: u64) -> Vec<Hash> {
    (0..count).map(|n| record_hash(format!("record {n}").as_bytes())).collect()
}

fn hashes(text: &str) -> Vec<Hash> {
    text.split(' ').map(|hash| Hash::parse_hash(hash).unwrap()).collect()
}

const ROOT_1000: &str = "mXwAZ8XucWmQ1EpnMacEiQrHlXQBuXYF/fJms8q4tO8=";

#[test]
fn roots_are_those_that_go_computes() {
    let leaves = leaves(1000);
    for (size, expected) in [
        (0, "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="),
        (1, "OzZ9bbe8UXJtkYsY6aeeD85T+Gf744Zx9gnmu1nUYDU="),
        (2, "XDShEgWHfs8sTyjiVJXQgwGzPb+4YkGfeUb6b9+BJO8="),
        (3, "EROfCuN4nLInq4w+V9ZuiSXjrblsJNVzEYMhUNaskFs="),
        (7, "ZlCXn2yHiq2F84Dsicnip68Q0qZKqWqJGKp/UHsg+Y4="),
        (255, "EtIOA5OysQRktVpSad0GbwuDbqlRKjTxPjrVxyV19Ds="),
        (256, "3JNJ+Xh+0Ahtptl/Z5xRpRmPmORW6Vsdh/o6vAEv7DE="),
        (257, "e8lTONnrdW/d1vzeOGps12khFsE79avvFd+35TWOaK4="),
        (1000, ROOT_1000),
    ] {
        assert_eq!(root(&leaves[..size]).to_string(), expected, "{size} leaves");
    }
}

#[test]
fn paths_are_those_that_go_computes() {
    let expected = "4EqXqg/6pDFyrfMTz/HcJiDd9JdwlB9g+LG+y/zRUwM= OHA5dhbnR83ULiKYyTUDoKAWs3Hy1R8SX8nUep0ik+k= \
        IJT0AWMe7QlZuM266cbCIwXCjEqrvMd4KrJ3MVEDRQU= 9PdfJ8gpPg1vKWa+99zwH7Tzg1APOXu8U04L8kIcnbs= \
        I2ndBx4zFjoy+mrR9y+6hjf5BcrZ2m87ssUVIgn4JkE= pCDXUAXw72ME0UwV7pa4u46iG6ElFIg//COjugTfxvU= \
        emYhF911ExUek4vQ3FxBXyXtubshbLDBaW43jD4D2Mw= vxnZsQWOZN3apXVLAq97/8iy3Qzs7Mw9gf5D1ibevTM= \
        3JNJ+Xh+0Ahtptl/Z5xRpRmPmORW6Vsdh/o6vAEv7DE= uJyt7L8t+FsjdigTOfVuWFjMVzKibVWrK+oo20RNGFQ=";
    assert_eq!(inclusion_path(&leaves(1000), 333).unwrap(), hashes(expected));
}

#[test]
fn a_consistency_proof_that_go_made_is_accepted_for_its_two_trees_only() {
    let proof = hashes(
        "UAY9Z86bAmPM71c1+2wmGxhXqulR7Pvd1UBemhAkrvI= T7LIU36xR5ZS2dLK/AEGiILdLgRylV4///+9kCtCG5Q= \
        BwAl1lkfH1Fu+RLO5xSCcQc32AVTRaXrDkBtCAGGR9g= IJdCR5R3fA6Uz4Bp77f3p+B4U1IF9fP2+3NrfpHbTrw= \
        M96OAKgNKtJ00jDbUN3xCuKP3nVQYySodLLmyR3zgK0= IS1VLmLBFgASo26fOrGlUMDNSccVIa5WEjGup2SS1O4= \
        vxnZsQWOZN3apXVLAq97/8iy3Qzs7Mw9gf5D1ibevTM= 3JNJ+Xh+0Ahtptl/Z5xRpRmPmORW6Vsdh/o6vAEv7DE= \
        uJyt7L8t+FsjdigTOfVuWFjMVzKibVWrK+oo20RNGFQ=",
    );
    let (old, new) = (root(&leaves(300)), Hash::parse_hash(ROOT_1000).unwrap());
    assert!(check_consistency(&proof, 300, old, 1000, new));
    assert!(!check_consistency(&proof, 301, old, 1000, new));
    assert!(!check_consistency(&proof, 300, new, 1000, new));
    assert!(!check_consistency(&proof, 300, old, 1000, old));
    assert!(!check_consistency(&proof[1..], 300, old, 1000, new));
    assert!(!check_consistency(&proof, 1000, new, 300, old));
}

#[test]
fn an_empty_tree_is_a_prefix_of_every_tree() {
    let one = root(&leaves(1));
    assert!(check_consistency(&[], 0, EMPTY_HASH, 1, one));
    assert!(check_consistency(&[], 0, EMPTY_HASH, 0, EMPTY_HASH));
    assert!(!check_consistency(&[], 0, one, 1, one));
    assert!(!check_consistency(&[], 0, EMPTY_HASH, 0, one));
    assert!(!check_consistency(&[one], 0, EMPTY_HASH, 1, one));
}

#[test]
fn hostile_proofs_are_refused_without_a_panic() {
    let hash = record_hash(b"");
    for size in [0, 1, 2, 3, u64::MAX - 1, u64::MAX] {
        for index in [0, 1, size.wrapping_sub(1), size, u64::MAX] {
            for length in [0, 1, 63, 64, 65, 1000] {
                let path = vec![hash; length];
                let expected = size == 1 && index == 0 && length == 0;
                assert_eq!(check_inclusion(&path, size, hash, index, hash), expected, "{size} {index} {length}");
                let same = index == size && size > 0 && length == 0;
                assert_eq!(check_consistency(&path, index, hash, size, hash), same, "{index} {size} {length}");
            }
        }
    }
}

#[test]
fn a_height_beyond_the_word_size_is_one_group() {
    let leaves = leaves(5);
    assert_eq!(subtree_roots(leaves.clone(), 64), [root(&leaves)]);
    assert_eq!(subtree_roots(leaves.clone(), u32::MAX), [root(&leaves)]);
    assert!(subtree_roots(Vec::new(), 3).is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn roots_and_paths_agree_with_tlog_tiles(count in 1u64..700, index in any::<prop::sample::Index>()) {
        let leaves = leaves(count);
        let store = Store::of(&leaves);
        let root = root(&leaves);
        prop_assert_eq!(root, tree_hash(count, &store).unwrap());
        let index = index.index(count as usize) as u64;
        let path = inclusion_path(&leaves, index).unwrap();
        prop_assert_eq!(&path, &prove_record(count, index, &store).unwrap());
        let leaf = leaves[index as usize];
        prop_assert!(check_inclusion(&path, count, root, index, leaf));
        prop_assert!(!check_inclusion(&path, count, root, (index + 1) % count.max(2), leaf));
        prop_assert!(inclusion_path(&leaves, count).is_none());
        for position in 0..path.len() {
            let mut wrong = path.clone();
            wrong[position].0[7] ^= 1;
            prop_assert!(!check_inclusion(&wrong, count, root, index, leaf));
        }
    }

    #[test]
    fn subtrees_are_the_leaves_of_a_tree_with_the_same_root(count in 0u64..700, height in 0u32..12) {
        let leaves = leaves(count);
        let roots = subtree_roots(leaves.clone(), height);
        prop_assert_eq!(roots.len() as u64, count.div_ceil(1 << height));
        prop_assert_eq!(root_of_subtrees(&roots), root(&leaves));
    }

    #[test]
    fn consistency_agrees_with_tlog_tiles(old in 1u64..400, more in 0u64..400) {
        let leaves = leaves(old + more);
        let store = Store::of(&leaves);
        let proof = prove_tree(old + more, old, &store).unwrap();
        let (before, after) = (root(&leaves[..old as usize]), root(&leaves));
        prop_assert!(check_consistency(&proof, old, before, old + more, after));
        prop_assert!(!check_consistency(&proof, old, after, old + more, before) || more == 0);
    }
}
