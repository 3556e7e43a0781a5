//! What a link opens, and when none is granted.

use super::*;

impl House {
    /// The studies that a verified reader sees.
    async fn seen(&self, granted: &Granted) -> Vec<String> {
        let code = granted.code.as_ref().map(|code| code.expose().clone()).unwrap_or_default();
        let Verdict::Welcome { cookie } = self.verify(&token_of(granted), &code, BORN).await else { panic!() };
        let visit = self.access.visit(cookie.expose()).await.unwrap().unwrap();
        let mut seen: Vec<_> = visit.studies.into_iter().map(|found| found.study.to_string()).collect();
        seen.sort();
        seen
    }
}

#[tokio::test]
async fn all_studies_of_a_patient_are_those_of_the_same_person() {
    let house = House::new().await;
    let first = house.study("1.2.1", "P1", "Ross^Ellen", "19610307").await;
    house.study("1.2.2", "P2", "Ross^Ellen", "19610307").await;
    let granted = house.grant(Whose::PatientOf(first), None).await.unwrap();
    assert_eq!(house.seen(&granted).await, ["1.2.1"]);
    // Later arrivals under the same ID: the same person, another name, another birth date, another ID
    // that only differs in case.
    house.study("1.2.3", "P1", "ROSS^ELLEN^M", "19610307").await;
    house.study("1.2.4", "P1", "Miller^Ellen", "19610307").await;
    house.study("1.2.5", "P1", "Ross^Ellen", "19610308").await;
    house.study("1.2.6", "p1", "Ross^Ellen", "19610307").await;
    assert_eq!(house.seen(&granted).await, ["1.2.1", "1.2.3"]);
    assert_eq!(house.access.show(&granted.id).await.unwrap().held, 2);
    let by_id = Whose::Patient { issuer_of_patient_id: Phi::default(), patient_id: Phi::new("P1".into()) };
    assert!(matches!(house.grant(by_id, None).await, Err(AccessError::PatientAmbiguous)));
    let nobody = Whose::Patient { issuer_of_patient_id: Phi::default(), patient_id: Phi::new("P*".into()) };
    assert!(matches!(house.grant(nobody, None).await, Err(AccessError::NoSuchPatient)));
}

#[tokio::test]
async fn a_study_without_a_patient_id_is_granted_alone_and_staff_are_told_why() {
    let house = House::new().await;
    let study = house.study("1.2.1", "", "Ross^Ellen", "19610307").await;
    let refused = house.grant(Whose::PatientOf(study.clone()), None).await.unwrap_err();
    assert!(matches!(refused, AccessError::NoPatientId));
    assert!(refused.to_string().contains("no Patient ID") && refused.to_string().contains("this study alone"));
    assert!(house.grant(Whose::Study(study), None).await.is_ok());
}

#[tokio::test]
async fn without_a_usable_birth_date_only_a_code_is_asked_and_staff_are_told() {
    let house = House::new().await;
    for (place, birth_date) in ["", "19000101", "1961", "99999999"].into_iter().enumerate() {
        let study = house.study(&format!("1.2.{place}"), &format!("P{place}"), "Ross^Ellen", birth_date).await;
        let refused = house.grant(Whose::Study(study.clone()), Some(config::Verify::BirthDate)).await;
        assert!(matches!(refused, Err(AccessError::NoBirthDate)), "{birth_date:?}");
        let granted = house.grant(Whose::Study(study), None).await.unwrap();
        assert!(granted.fell_back_to_code && granted.verify == config::Verify::Code);
        let code = granted.code.as_ref().unwrap().expose();
        let verdict = house.verify(&token_of(&granted), code, ["", "", ""]).await;
        assert!(matches!(verdict, Verdict::Welcome { .. }), "{verdict:?}");
    }
}

#[tokio::test]
async fn a_link_to_an_unknown_study_is_refused() {
    let house = House::new().await;
    let unknown = StudyInstanceUid::parse("1.2.3").unwrap();
    assert!(matches!(house.grant(Whose::Study(unknown.clone()), None).await, Err(AccessError::NoSuchStudy)));
    assert!(matches!(house.grant(Whose::PatientOf(unknown), None).await, Err(AccessError::NoSuchStudy)));
}

#[tokio::test]
async fn a_study_of_two_patients_is_given_to_neither() {
    let house = House::new().await;
    let study = house.study("1.2.1", "P1", "Ross^Ellen", "19610307").await;
    let granted = house.grant(Whose::Study(study.clone()), None).await.unwrap();
    assert_eq!(house.seen(&granted).await, ["1.2.1"]);
    house.second_patient("1.2.1").await;
    assert!(matches!(house.grant(Whose::Study(study), None).await, Err(AccessError::PatientConflict)));
    assert!(house.seen(&granted).await.is_empty(), "what was granted before is held too");
}

#[tokio::test]
async fn nothing_kept_about_a_link_opens_it() {
    let house = House::new().await;
    let study = house.study("1.2.1", "P1", "Ross^Ellen", "19610307").await;
    let granted = house.grant(Whose::Study(study), None).await.unwrap();
    let (token, code) = (token_of(&granted), granted.code.clone().unwrap().into_exposed());
    house.verify(&token, &code, BORN).await;
    assert!(!format!("{granted:?}").contains(&token));
    house.index.close().await.unwrap();
    for entry in std::fs::read_dir(house.dir.path()).unwrap() {
        let path = entry.unwrap().path();
        let Ok(bytes) = std::fs::read(&path) else { continue };
        for secret in [token.as_str(), code.as_str(), code.replace('-', "").as_str()] {
            assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()), "{}", path.display());
        }
    }
}
