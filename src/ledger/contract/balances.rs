//! Balances: kept in order, by account, with the record after which they were seen.

use super::*;
use crate::types::Clock;

pub(super) async fn balances_are_kept_in_order_by_account_and_are_no_records(stage: Stage) {
    assert_eq!(stage.ledger.balances("kie:K").expect("balances can be read"), []);
    let first = stage.ledger.note_balance("kie:K", run("r1"), credits(100)).await.expect("noted");
    let seen = stage.clock.now();
    assert_eq!(first, BalanceNote { account: "kie:K".to_owned(), run: run("r1"), at: seen, after: 0, amount: credits(100) });
    stage.granted(intent("hero", 1)).await;
    stage.clock.advance(Duration::from_secs(60));
    let second = stage.ledger.note_balance("kie:K", run("r2"), credits(96)).await.expect("noted");
    assert_eq!((second.after, second.at), (1, stage.clock.now()));
    stage.ledger.note_balance("other:K", run("r3"), credits(7)).await.expect("noted");
    assert_eq!(stage.ledger.balances("kie:K").expect("balances can be read"), [first, second]);
    assert_eq!(stage.ledger.last_seq().expect("the ledger can be read"), 1, "it is no record about a shot");
}
