//! Keeps compiled patterns, because a call mostly has one pattern for all of its rows.

use super::options::Options;
use super::search::Pattern;
use crate::SqlError;
use std::collections::HashMap;
use std::sync::Arc;

/// Patterns that one call keeps.
const MOST_KEPT: usize = 64;

/// The patterns of a call, each compiled once.
#[derive(Debug)]
pub(super) struct Patterns {
    compiled: HashMap<(String, Options), Arc<Pattern>>,
    last: Option<(String, Options, Arc<Pattern>)>,
}

impl Patterns {
    pub(super) fn new() -> Self {
        Self { compiled: HashMap::new(), last: None }
    }

    pub(super) fn get(&mut self, pattern: &str, options: Options) -> Result<Arc<Pattern>, SqlError> {
        if let Some((text, with, compiled)) = &self.last
            && text == pattern
            && *with == options
        {
            return Ok(Arc::clone(compiled));
        }
        let key = (pattern.to_owned(), options);
        let compiled = match self.compiled.get(&key) {
            Some(compiled) => Arc::clone(compiled),
            None => {
                if self.compiled.len() >= MOST_KEPT {
                    self.compiled.clear();
                }
                let compiled = Arc::new(Pattern::new(pattern, options)?);
                self.compiled.insert(key, Arc::clone(&compiled));
                compiled
            }
        };
        self.last = Some((pattern.to_owned(), options, Arc::clone(&compiled)));
        Ok(compiled)
    }
}
