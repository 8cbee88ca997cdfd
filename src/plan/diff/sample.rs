//! Plans made by hand, for tests: jobs whose keys follow from their ingredients as those of real plans do.

use std::collections::HashMap;

use crate::catalog::Certainty;
use crate::plan::{Side, SidePrice};
use crate::types::{Currency, Digest, JobId, JobKey, Micros};

/// A job made by hand.
#[derive(Debug, Clone)]
pub(crate) struct HandJob {
    id: String,
    step: String,
    path: String,
    price: SidePrice,
    key: JobKey,
    fields: Vec<(String, String)>,
}

/// A plan made by hand.
#[derive(Debug, Clone)]
pub(crate) struct Hand {
    jobs: Vec<HandJob>,
    keys: HashMap<String, JobKey>,
    currency: Currency,
}

impl Hand {
    pub(crate) fn new() -> Self {
        Self { jobs: Vec::new(), keys: HashMap::new(), currency: Currency::credits("kie") }
    }

    pub(crate) fn counted_in(mut self, currency: Currency) -> Self {
        self.currency = currency;
        self
    }

    /// Adds a job of 6 credits.
    pub(crate) fn job(self, id: &str, prompt: &str, takes: &[&str]) -> Self {
        self.priced(id, prompt, takes, SidePrice::Priced(Micros::units(6), Certainty::Exact))
    }

    pub(crate) fn priced(mut self, id: &str, prompt: &str, takes: &[&str], price: SidePrice) -> Self {
        let mut fields = vec![("model".to_owned(), "gpt-image-2".to_owned()), ("prompt".to_owned(), prompt.to_owned())];
        for (place, maker) in takes.iter().enumerate() {
            let role = if place == 0 { "image".to_owned() } else { format!("reference {place}") };
            fields.push((role, self.keys[*maker].to_string()));
        }
        let key = JobKey(Digest::of(format!("{fields:?}").as_bytes()));
        let step = id.split('[').next().unwrap_or(id).to_owned();
        self.keys.insert(id.to_owned(), key);
        self.jobs.push(HandJob { id: id.to_owned(), step, path: format!("{id}.png"), price, key, fields });
        self
    }

    /// Puts the latest job's file elsewhere.
    pub(crate) fn filed(mut self, path: &str) -> Self {
        if let Some(job) = self.jobs.last_mut() {
            job.path = path.to_owned();
        }
        self
    }
}

impl Side for Hand {
    fn currency(&self) -> &Currency {
        &self.currency
    }

    fn len(&self) -> usize {
        self.jobs.len()
    }

    fn id(&self, place: usize) -> JobId {
        JobId::new(&self.jobs[place].id)
    }

    fn key(&self, place: usize) -> JobKey {
        self.jobs[place].key
    }

    fn step(&self, place: usize) -> &str {
        &self.jobs[place].step
    }

    fn path(&self, place: usize) -> &str {
        &self.jobs[place].path
    }

    fn price(&self, place: usize) -> SidePrice {
        self.jobs[place].price
    }

    fn fields(&self, place: usize) -> Vec<(String, String)> {
        self.jobs[place].fields.clone()
    }
}
