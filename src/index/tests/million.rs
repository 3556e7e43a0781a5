//! Speed at 1,000,000 studies, printed; run by `cargo test --lib million -- --ignored --nocapture`.
//! `BLUEBRIDGE_STUDIES` sets another number, `BLUEBRIDGE_FOLDER` keeps the index there for another run.

use super::{fixture_in, instance, range, single, tag, wildcard};
use crate::domain::level::Level;
use crate::domain::query::{Match, Query};
use crate::domain::uid::StudyInstanceUid;
use crate::index::{Batch, Index};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Rows as `record` writes them: some 7,000 distinct family and 160 given names, 40 % as many patients as
/// studies, ten years of dates.
const FILL: [&str; 5] = [
    "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1),
     one AS (SELECT i, i % ($1 * 2 / 5) AS p, (i * 7919) % 3650 AS d, (i * 104729) % 86400 AS t FROM n),
     two AS (SELECT i, p, strftime('%Y%m%d', 1400000000 + d * 86400, 'unixepoch') AS date,
                strftime('%H%M%S', t, 'unixepoch') AS time,
                char(97 + p % 26, 97 + (p / 26) % 26) || 'mer' || char(97 + (p / 676) % 11) || 'son^jo'
                    || char(97 + (p / 7436) % 26) || 'n' || (p / 193336) AS name
             FROM one)
     INSERT INTO study (id, study_instance_uid, study_date, study_time, accession_number, study_id,
        study_description, referring_physician_name, patient_name, patient_id, issuer_of_patient_id,
        patient_birth_date, patient_sex, attributes, modalities_in_study, sop_classes_in_study, series_count,
        instance_count, size_bytes, revision, first_received_ms, last_change_ms, blocked)
     SELECT i, '1.2.826.0.1.3680043.9.' || i, date, time, 'A' || i, 'S' || i, 'STUDY ' || (i % 200),
        'referrer' || (i % 500), name, 'PID' || p, 'HOSPITAL', '19' || (10 + p % 90) || '0' || (1 + p % 9) || '11', 'F',
        json_object('00080020', json_array(date), '00080030', json_array(time), '00080050', json_array('A' || i),
            '00080090', json_array('Referrer' || (i % 500)), '00081030', json_array('STUDY ' || (i % 200)),
            '00100010', json_array(name), '00100020', json_array('PID' || p), '00100030', json_array('19700101'),
            '00100040', json_array('F'), '00200010', json_array('S' || i)),
        CASE i % 4 WHEN 0 THEN '\\MR\\' WHEN 1 THEN '\\US\\' ELSE '\\CT\\' END, '\\1.2.840.10008.5.1.4.1.1.2\\',
        2, 200, 100000000, 1, 0, 0, 0
     FROM two",
    "INSERT INTO series (id, study_id, series_instance_uid, series_number, modality, series_description,
        body_part_examined, series_date, performed_procedure_step_start_date, attributes, sop_classes,
        instance_count, size_bytes, revision, last_change_ms)
     SELECT study.id * 2 + k.value, study.id, study_instance_uid || '.' || k.value, k.value + 1, 'CT', 'AXIAL', 'HEAD',
        study_date, study_date, json_object('00080060', json_array('CT'), '0008103E', json_array('AXIAL')),
        '\\1.2.840.10008.5.1.4.1.1.2\\', 100, 50000000, 1, 0
     FROM study CROSS JOIN json_each('[0,1]') AS k WHERE $1 > 0",
    "INSERT INTO term (kind, value) SELECT 1, patient_name FROM study WHERE $1 > 0 GROUP BY 2
     UNION ALL SELECT 2, patient_id FROM study GROUP BY 2 UNION ALL SELECT 3, accession_number FROM study
     UNION ALL SELECT 4, study_description FROM study GROUP BY 2
     UNION ALL SELECT 5, referring_physician_name FROM study GROUP BY 2",
    "INSERT INTO term_study (term_id, study_id)
     SELECT term.id, study.id FROM study CROSS JOIN term ON term.kind = 1 AND term.value = study.patient_name WHERE $1 > 0
     UNION ALL SELECT term.id, study.id FROM study CROSS JOIN term ON term.kind = 2 AND term.value = study.patient_id
     UNION ALL SELECT term.id, study.id FROM study CROSS JOIN term ON term.kind = 3 AND term.value = study.accession_number",
    "INSERT INTO term_study (term_id, study_id)
     SELECT term.id, study.id FROM study CROSS JOIN term ON term.kind = 4 AND term.value = study.study_description WHERE $1 > 0
     UNION ALL SELECT term.id, study.id FROM study
        CROSS JOIN term ON term.kind = 5 AND term.value = study.referring_physician_name ORDER BY 1, 2",
];

async fn fill(index: &Index, studies: i64) {
    for sql in FILL {
        let began = Instant::now();
        let mut transaction = index.write().await.unwrap();
        sqlx::query(sql).bind(studies).execute(&mut *transaction).await.unwrap();
        transaction.commit().await.unwrap();
        println!(
            "{:>6.1} s  {}",
            began.elapsed().as_secs_f64(),
            sql.split_whitespace().take(3).collect::<Vec<_>>().join(" ")
        );
    }
    index.inner.writer.reread_heads().await.unwrap();
}

fn p50_and_p99(mut times: Vec<Duration>) -> (f64, f64) {
    times.sort_unstable();
    let ms = |at: usize| times.get(at).map_or(f64::NAN, |time| time.as_secs_f64() * 1000.0);
    (ms(times.len() / 2), ms(times.len() * 99 / 100))
}

async fn measure(index: &Index, name: &str, rounds: u32, query: impl Fn(u32) -> Query) {
    let mut times = Vec::new();
    let mut rows = 0;
    for round in 0..rounds {
        let query = query(round);
        let began = Instant::now();
        match index.search(&query).await {
            Ok(page) => rows = page.rows.len(),
            Err(error) => {
                println!("{name:<44} {error} after {:?}", began.elapsed());
                return;
            }
        }
        times.push(began.elapsed());
    }
    let (p50, p99) = p50_and_p99(times);
    println!("{name:<44} p50 {p50:>8.3} ms  p99 {p99:>8.3} ms  {rows} rows");
}

fn studies(keys: &[(&str, Match)]) -> Query {
    let mut query = Query::new(Level::Study);
    query.keys = keys.iter().map(|(keyword, rule)| (tag(keyword), rule.clone())).collect();
    query.limit = Some(101);
    query
}

#[tokio::test]
#[ignore = "makes an index of 1 GB"]
async fn million_studies_are_searched_fast() {
    let count: i64 = std::env::var("BLUEBRIDGE_STUDIES").ok().and_then(|text| text.parse().ok()).unwrap_or(1_000_000);
    let at = fixture_in(std::env::var_os("BLUEBRIDGE_FOLDER").map(PathBuf::from)).await;
    let index = &at.index;
    if index.search(&studies(&[])).await.unwrap().rows.is_empty() {
        fill(index, count).await;
    }
    let number = |round: u32| i64::from(round).wrapping_mul(7_654_321) % count + 1;
    let uid = |round: u32| StudyInstanceUid::parse(&format!("1.2.826.0.1.3680043.9.{}", number(round))).unwrap();
    measure(index, "exact StudyInstanceUID", 200, |n| studies(&[("StudyInstanceUID", single(uid(n).as_str()))])).await;
    measure(index, "exact AccessionNumber", 200, |n| {
        studies(&[("AccessionNumber", single(&format!("A{}", number(n))))])
    })
    .await;
    measure(index, "exact PatientID", 200, |n| studies(&[("PatientID", single(&format!("PID{}", number(n) * 2 / 5)))]))
        .await;
    measure(index, "series of a study", 200, |n| {
        let mut query = Query::new(Level::Series);
        query.study = Some(uid(n));
        query
    })
    .await;
    measure(index, "first page", 50, |_| studies(&[])).await;
    measure(index, "one day", 50, |_| studies(&[("StudyDate", single("20200102"))])).await;
    measure(index, "date range", 50, |_| studies(&[("StudyDate", range("20190101", "20191231"))])).await;
    measure(index, "modality", 50, |_| studies(&[("ModalitiesInStudy", single("MR"))])).await;
    measure(index, "modality that nobody has", 5, |_| studies(&[("ModalitiesInStudy", single("XC"))])).await;
    measure(index, "name prefix, few (kqmer*)", 50, |_| studies(&[("PatientName", wildcard("kqmer*"))])).await;
    measure(index, "name prefix, many (k*)", 50, |_| studies(&[("PatientName", wildcard("K*"))])).await;
    measure(index, "name exact", 50, |_| studies(&[("PatientName", single("KQMERCSON^JOAN0"))])).await;
    measure(index, "name infix, few (*qmerc*)", 50, |_| studies(&[("PatientName", wildcard("*qmerc*"))])).await;
    measure(index, "name infix, many (*mer*)", 50, |_| studies(&[("PatientName", wildcard("*mer*"))])).await;
    measure(index, "name infix, 2 characters (*km*)", 20, |_| studies(&[("PatientName", wildcard("*km*"))])).await;
    measure(index, "name infix, 2 characters, none (*zz9*)", 20, |_| studies(&[("PatientName", wildcard("*z9*"))]))
        .await;
    measure(index, "name fuzzy", 50, |_| {
        let mut query = studies(&[("PatientName", single("joan kqmer"))]);
        query.fuzzy = true;
        query
    })
    .await;
    measure(index, "patient ID infix (*D1234*)", 50, |_| studies(&[("PatientID", wildcard("*D1234*"))])).await;
    measure(index, "name and date range", 50, |_| {
        studies(&[("PatientName", wildcard("*son*")), ("StudyDate", range("20200101", "20200131"))])
    })
    .await;
    measure(index, "description", 50, |_| studies(&[("StudyDescription", wildcard("*Y 77*"))])).await;
    for share in [10, 2] {
        measure(index, &format!("offset 1/{share}"), 5, |_| {
            let mut query = studies(&[]);
            query.offset = u32::try_from(count / share).unwrap();
            query
        })
        .await;
    }
    for size in [1_u32, 4, 32] {
        let mut times = Vec::new();
        // Other UIDs than those of an earlier run in the same folder.
        let first = std::process::id() % 10_000 * 100_000;
        for round in 0..100_u32 {
            let attributes =
                [("Modality", "CT"), ("PatientID", "P"), ("StudyDate", "20260101"), ("PatientName", "A^B")];
            let study = first + size * 1000 + round / 5;
            let instances = (0..size).map(|n| instance(study, 1, round * 100 + n, &attributes)).collect();
            let began = Instant::now();
            index.record(Batch { instances, ..Batch::default() }).await.unwrap();
            times.push(began.elapsed());
        }
        let (p50, p99) = p50_and_p99(times);
        println!("{:<44} p50 {p50:>8.3} ms  p99 {p99:>8.3} ms", format!("record a batch of {size}, sync included"));
    }
}
