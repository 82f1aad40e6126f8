//! What backends say of their own load, read every second: vLLM's and llama.cpp's Prometheus
//! metrics, and which models an Ollama has in memory.

use super::{Backend, Client, health::Reported, ollama};
use crate::config::DialectName;
use std::time::Duration;
use tokio::time::sleep;

/// How often.
const EVERY: Duration = Duration::from_secs(1);
/// How often one is asked that has nothing to say (llama.cpp needs `--metrics`).
const SELDOM: Duration = Duration::from_secs(30);
/// A backend that takes longer is too busy to be asked every second.
const WITHIN: Duration = Duration::from_secs(1);
/// The most that is read of metrics: those of a vLLM with many models are some hundred KiB.
const BYTES: usize = 4 << 20;

const RUNNING: [&str; 2] = ["vllm:num_requests_running", "llamacpp:requests_processing"];
const WAITING: [&str; 2] = ["vllm:num_requests_waiting", "llamacpp:requests_deferred"];
const KV_USED: [&str; 3] = [
    "vllm:kv_cache_usage_perc",
    // Before vLLM 0.10.
    "vllm:gpu_cache_usage_perc",
    "llamacpp:kv_cache_usage_ratio",
];

/// Reads it for as long as it is polled. One request at a time: a backend that hangs is asked no
/// more often for it.
pub(super) async fn keep(client: &Client, backend: &Backend) {
    loop {
        // Probes ask whether one that is down has come back.
        let says = match backend.health.is_down() {
            true => true,
            false => once(client, backend).await,
        };
        sleep(if says { EVERY } else { SELDOM }).await;
    }
}

/// False: this one has nothing to say.
async fn once(client: &Client, backend: &Backend) -> bool {
    let url = match backend.dialect {
        DialectName::Ollama => &backend.running,
        DialectName::Openai => &backend.metrics,
        DialectName::Simulator => return false,
    };
    match client.get(backend, url, WITHIN, BYTES).await {
        // Too busy, or gone: what it said last grows old by itself.
        Err(_) | Ok((500 | 502..600, _)) => true,
        Ok((200, body)) if backend.dialect == DialectName::Ollama => {
            match ollama::loaded(&body) {
                Ok(models) => backend.health.loads(models),
                Err(_) => return false,
            }
            true
        }
        Ok((200, body)) if body.len() < BYTES => match read(&String::from_utf8_lossy(&body)) {
            Some(reported) => {
                backend.health.reports(reported);
                true
            }
            None => false,
        },
        Ok(_) => false,
    }
}

/// Reads the Prometheus text format: of each metric the sum over its label sets (a vLLM has one a
/// model and engine), of KV caches the fullest. `None`: nothing of what is looked for.
fn read(text: &str) -> Option<Reported> {
    let (mut running, mut waiting, mut kv_used) = (None::<f64>, None::<f64>, None::<f64>);
    for line in text.lines() {
        let name_end = line.find(['{', ' ', '\t']).unwrap_or(line.len());
        let (name, rest) = line.split_at(name_end);
        // Label values may hold anything, but nothing after them holds a brace.
        let value = rest.rfind('}').map_or(rest, |end| &rest[end + 1..]);
        let value = value.split_whitespace().next();
        let Some(value) = value.and_then(|v| v.parse::<f64>().ok()) else {
            continue;
        };
        if !value.is_finite() || value < 0.0 {
            continue;
        }
        if RUNNING.contains(&name) {
            running = Some(running.unwrap_or_default() + value);
        } else if WAITING.contains(&name) {
            waiting = Some(waiting.unwrap_or_default() + value);
        } else if KV_USED.contains(&name) {
            kv_used = Some(kv_used.unwrap_or_default().max(value));
        }
    }
    if running.is_none() && waiting.is_none() && kv_used.is_none() {
        return None;
    }
    Some(Reported {
        running: running.unwrap_or_default() as u32,
        waiting: waiting.unwrap_or_default() as u32,
        kv_used: kv_used.map(|share| share as f32),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn vllm_old_and_new_with_two_engines() {
        let text = |kv: &str| {
            format!(
                "# HELP vllm:num_requests_running Number of requests in model execution batches.\n\
                 # TYPE vllm:num_requests_running gauge\n\
                 vllm:num_requests_running{{engine=\"0\",model_name=\"a/b\"}} 3.0\n\
                 vllm:num_requests_running{{engine=\"1\",model_name=\"a }} b\"}} 4.0 1732500000000\n\
                 vllm:num_requests_waiting{{engine=\"0\",model_name=\"a/b\"}} 5.0\n\
                 vllm:num_requests_waiting_total{{engine=\"0\"}} 100.0\n\
                 {kv}{{engine=\"0\",model_name=\"a/b\"}} 0.25\n\
                 {kv}{{engine=\"1\",model_name=\"a/b\"}} 0.75\n\
                 vllm:num_preemptions_total{{engine=\"0\"}} 1e+03\n"
            )
        };
        for kv in ["vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc"] {
            let reported = Reported {
                running: 7,
                waiting: 5,
                kv_used: Some(0.75),
            };
            assert_eq!(read(&text(kv)), Some(reported));
        }
    }

    #[test]
    fn llama_cpp_with_and_without_its_cache() {
        let text = "# TYPE llamacpp:requests_processing gauge\nllamacpp:requests_processing 1\n\
                    # TYPE llamacpp:requests_deferred gauge\r\nllamacpp:requests_deferred 2\r\n";
        let reported = Reported {
            running: 1,
            waiting: 2,
            kv_used: None,
        };
        assert_eq!(read(text), Some(reported));
        let kv_used = Some(0.5);
        let old = format!("{text}llamacpp:kv_cache_usage_ratio 0.5\n");
        assert_eq!(
            read(&old),
            Some(Reported {
                kv_used,
                ..reported
            })
        );
    }

    #[test]
    fn what_is_no_number_says_nothing() {
        let odd = "vllm:num_requests_running NaN\nvllm:num_requests_waiting -1\n\
                   vllm:kv_cache_usage_perc +Inf\nvllm:num_requests_running\n\
                   vllm:num_requests_running{a=\"b\n# vllm:num_requests_running 3\n";
        assert_eq!(read(odd), None);
        assert_eq!(read("<html>not here</html>"), None);
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(text in "(vllm:num_requests_running|[{}\" a\n0-9.é-])*") {
            read(&text);
        }
    }
}
