//! Tries: never more than the limit, however many come at once, whoever restarts.

use super::*;
use crate::index::links::Tries;

impl House {
    async fn tries(&self, id: &str) -> Tries {
        self.index.link_by_id(id).await.unwrap().unwrap().tries
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_200_guesses_at_once_exactly_five_are_counted() {
    let house = House::new().await;
    let study = house.study("1.2.3", "P1", "Ross^Ellen", "19610307").await;
    let granted = house.grant(Whose::Study(study), Some(config::Verify::BirthDate)).await.unwrap();
    let token = token_of(&granted);
    let mut guesses = tokio::task::JoinSet::new();
    for n in 0..200 {
        let (access, token) = (house.access.clone(), token.clone());
        guesses.spawn(async move {
            let year = (1700 + n).to_string();
            access.verify(&token, &answers("", ["7", "3", &year]), HOME, None).await.unwrap()
        });
    }
    let verdicts = guesses.join_all().await;
    let waiting = verdicts.iter().filter(|verdict| matches!(verdict, Verdict::Wait { .. })).count();
    let wrong = verdicts.iter().filter(|verdict| matches!(verdict, Verdict::Wrong { .. })).count();
    assert_eq!((wrong, waiting), (4, 196), "the fifth is told to wait");
    assert_eq!(house.tries(&granted.id).await.lifetime, 5);
    let failed = house.events().await.iter().filter(|kind| *kind == "verification-failed").count();
    assert_eq!(failed, 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_right_answer_among_too_many_wrong_ones_is_refused_like_them() {
    let house = House::new().await;
    let study = house.study("1.2.3", "P1", "Ross^Ellen", "19610307").await;
    let granted = house.grant(Whose::Study(study), Some(config::Verify::BirthDate)).await.unwrap();
    let token = token_of(&granted);
    for _ in 0..5 {
        house.verify(&token, "", ["1", "1", "1970"]).await;
    }
    let Verdict::Wait { seconds } = house.verify(&token, "", BORN).await else { panic!("not refused") };
    assert_eq!(seconds, 30);
    house.clock.advance(Duration::from_secs(30));
    assert!(matches!(house.verify(&token, "", BORN).await, Verdict::Welcome { .. }));
    assert_eq!(house.tries(&granted.id).await, Tries { consecutive: 0, lifetime: 5, wait_until_ms: None });
}

#[tokio::test]
async fn ten_wrong_tries_lock_a_link_for_good_across_restarts() {
    let mut house = House::new().await;
    let study = house.study("1.2.3", "P1", "Ross^Ellen", "19610307").await;
    let granted = house.grant(Whose::Study(study), Some(config::Verify::BirthDate)).await.unwrap();
    let token = token_of(&granted);
    for n in 0..10 {
        house.clock.advance(Duration::from_hours(1));
        let verdict = house.verify(&token, "", ["1", "1", "1970"]).await;
        assert_eq!(matches!(verdict, Verdict::Locked), n == 9, "{n}: {verdict:?}");
        house = house.restart().await;
    }
    house.clock.advance(Duration::from_hours(1));
    assert!(matches!(house.verify(&token, "", BORN).await, Verdict::Locked));
    assert_eq!(house.tries(&granted.id).await.lifetime, 10);
    assert_eq!(house.access.show(&granted.id).await.unwrap().state, State::Locked);
    let locked = house.events().await.iter().filter(|kind| *kind == "locked-out").count();
    assert_eq!(locked, 6, "five waits and the end");
}

#[tokio::test]
async fn what_scanners_send_costs_no_try() {
    let house = House::new().await;
    let study = house.study("1.2.3", "P1", "Ross^Ellen", "19610307").await;
    let granted = house.grant(Whose::Study(study), None).await.unwrap();
    let token = token_of(&granted);
    for text in ["", "test", "test@example.org", "12345678", "aaaaaaaa", "<script>", "0000000U", &"x".repeat(5000)] {
        for date in [["", "", ""], [text, text, text], ["1", "1", "1"], ["32", "1", "1970"], BORN] {
            let verdict = house.verify(&token, text, date).await;
            assert!(matches!(verdict, Verdict::Nothing | Verdict::Incomplete { .. }), "{text:?} {date:?} {verdict:?}");
        }
    }
    assert_eq!(house.tries(&granted.id).await, Tries::default());
}
