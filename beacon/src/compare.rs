//! Carries what nodes ask each other when they compare their states; the replica knows what it means.

use std::sync::Arc;
use std::time::Duration;

use crate::link;
use crate::node::Shared;

/// How often the replica is asked whether a question is due.
const LOOK_EVERY: Duration = Duration::from_millis(20);

pub(crate) async fn run(shared: Arc<Shared>) {
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let (replica, now_ms) = (shared.replica.clone(), shared.now_ms());
        let due = tokio::task::spawn_blocking(move || replica.compare_due(now_ms)).await;
        let Ok(Some((peer, question))) = due else { continue };
        let link = shared.registry.lock().link(peer).cloned();
        let answer = match link {
            Some(link) => link::compare(&link, question).await,
            None => None,
        };
        let (replica, now_ms) = (shared.replica.clone(), shared.now_ms());
        let told =
            tokio::task::spawn_blocking(move || replica.compared(peer, answer.as_deref(), now_ms)).await;
        if let Ok(Some(text)) = told {
            shared.alarms.raise("state_differs", text);
        }
    }
}
