//! Answers the questions of other servers, and of commands, about this server's followers.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::time::Duration;

use ficha_store::{Answer, Question, StoreError};
use tokio::time::{Instant, sleep, timeout};
use uuid::Uuid;

use super::report::Said;
use crate::Authority;
use crate::denylist::cursor::Cursor;
use crate::denylist::replica::read_in_time;

/// How soon after an answer the next one follows, if a follower has moved.
const PACE: Duration = Duration::from_millis(20);
/// How often open questions are looked at although no follower has moved.
const LOOK: Duration = Duration::from_millis(100);
/// After an error.
const PAUSE: Duration = Duration::from_millis(500);

/// A question that is being answered.
struct Open {
    /// The generation of the denylist in which its row is known.
    generation: u64,
    /// What was said last, and when.
    said: Option<(Said, u64)>,
    number: i64,
}

/// Answers for ever.
pub(crate) async fn answer_questions(authority: Authority) {
    let mut heads = authority.denylist().heads();
    let mut changes = authority.inner.followers.changes();
    let mut open: HashMap<Uuid, Open> = HashMap::new();
    let began = Instant::now();
    loop {
        // The sender is never dropped before us.
        let _ = heads.wait_for(|head| head.is_some_and(|head| head.asked)).await;
        changes.mark_unchanged();
        match authority.answer_once(&mut open, began).await {
            Ok(0) => {
                // They were withdrawn, and the head is not read again yet.
                let _ = timeout(LOOK, heads.changed()).await;
            }
            Ok(_) => {
                sleep(PACE).await;
                let _ = timeout(LOOK, changes.changed()).await;
            }
            Err(error) => {
                tracing::debug!(%error, "questions about followers could not be answered");
                sleep(PAUSE).await;
            }
        }
    }
}

impl Authority {
    /// Answers what is asked, and says how many questions there are.
    async fn answer_once(&self, open: &mut HashMap<Uuid, Open>, began: Instant) -> Result<usize, StoreError> {
        let Some(process) = self.store().process() else { return Ok(0) };
        let questions = read_in_time(self.store().questions()).await?;
        open.retain(|id, _| questions.iter().any(|question| question.id == *id));
        let asked_here = |question: &&Question| self.inner.followers.has_asked(question.id);
        for question in questions.iter().filter(|question| !asked_here(question)) {
            let one = match open.entry(question.id) {
                Entry::Occupied(one) => one.into_mut(),
                Entry::Vacant(place) => {
                    let Some(generation) = self.generation_of(question).await? else { continue };
                    place.insert(Open { generation, said: None, number: 0 })
                }
            };
            let said = self.inner.followers.say(one.generation, question.number);
            let now = began.elapsed().as_millis() as u64;
            if one.said.as_ref().is_some_and(|(before, at)| !before.differs(*at, &said, now)) {
                continue;
            }
            let body = serde_json::to_string(&said).map_err(|error| StoreError::Corrupt(error.to_string()))?;
            one.number += 1;
            self.store().answer(question.id, Answer { process, number: one.number, body }).await?;
            one.said = Some((said, now));
        }
        Ok(questions.len())
    }

    /// The generation of the denylist that has the row in question; `None` while it is not known here. A server that has
    /// not read it has told no follower of it.
    async fn generation_of(&self, question: &Question) -> Result<Option<u64>, StoreError> {
        let row = Cursor { number: question.number, tag: question.tag };
        let (generation, is_known, is_newer) = {
            let recent = self.denylist().recent();
            let newest = recent.newest();
            let is_known = newest == Some(row) || recent.after(row).is_some();
            (recent.generation(), is_known, newest.is_none_or(|newest| newest.number < row.number))
        };
        if is_known {
            return Ok(Some(generation));
        }
        if is_newer {
            self.denylist().nudge();
            return Ok(None);
        }
        let is_there = read_in_time(self.store().deny_row_exists(row.number, row.tag)).await?;
        Ok((is_there && self.denylist().recent().generation() == generation).then_some(generation))
    }
}
