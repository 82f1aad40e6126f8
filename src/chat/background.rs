//! Prompts that clients send on their own account: titles, tags, follow-up questions, search
//! queries, autocompletion. Nobody said them, and a title needs no memory: they neither recall nor
//! remember. Every rule is here: how such a prompt begins, whichever message it is in. "### Task:"
//! alone is no rule: people write so, and clients put it before their user's own question
//! (`wrapped.rs`).

use super::{Ask, ChatBody, Message, Piece, Role, wrapped::is_about_documents};
use regex::Regex;
use std::sync::LazyLock;

/// What clients put over a task, in the languages that templates are written in (in lower case).
const TASK: &[&str] = &["### task", "### 任务", "### 任務", "### タスク", "### 작업"];

/// How the task below that begins, as Open WebUI asks it (in lower case).
const TASKS: &[&str] = &[
    "generate a concise, 3-5 word title",
    "generate 1-3 broad tags categorizing",
    "suggest 3-5 relevant follow-up",
    "analyze the chat history to determine",
    "based on the chat history, determine whether",
    "generate a detailed prompt for am image",
    "generate a detailed prompt for an image",
    "generate a detailed prompt for image",
    "you are an autocompletion system",
];

/// What the task below that asks for, as others word it (in lower case).
const ASKS_FOR: &str = r"^(?:please )?(?:generate|create|suggest|provide|write|propose|give|produce|summarize)\b[^.\n]{0,60}\b(?:titles?|tags?|(?:search )?quer(?:y|ies)|follow-?ups?|emojis?)\b[^.\n]{0,60}\b(?:chats?|conversations?|dialogues?|history)\b";

/// Every template of Open WebUI puts the chat between these; no person does.
const HISTORY: &str = "<chat_history>";

/// How the last user message begins (in lower case).
const ASKED: &[&str] = &[
    // Open WebUI: title, tags and queries, as they were first
    "create a concise, 3-5 word title with an emoji as a title for the",
    "create a concise, 3-5 word phrase with an emoji as a title",
    "create a concise, 3-5 word phrase as a header for the following",
    "generate 1-3 broad tags categorizing the main themes of the chat history",
    "analyze the chat history to determine the necessity of generating search queries",
    "assess the need for a web search based on the current question",
    // … emoji, merging of answers, choice of tools
    "your task is to reflect the speaker's likely facial expression",
    "you have been provided with a set of responses from various models",
    "available tools:",
    // LibreChat
    "provide a concise, 5-word-or-less title for the conversation",
    "write a concise title for this conversation",
    "please generate a concise, 40-character title for this conversation",
    // NextChat: title and summary
    "please generate a four to five word title summarizing our conversation",
    "summarize the discussion briefly in 200 words or less to use as a prompt for future context",
    "使用四到五个字直接返回这句话的简要主题",
    "简要总结一下对话内容，用作后续的上下文提示",
    // Chatbox
    "based on the chat history, give this conversation a name",
    "name the conversation based on the chat records",
    // and those who say it in a way of their own
    "generate a title for this conversation",
    "generate a short title for this conversation",
    "generate a concise title for this conversation",
    "please generate a title for this conversation",
    "summarize this conversation in a title",
    "请为这段对话生成一个标题",
    "请为以上对话生成一个标题",
    "为以上对话生成一个简短的标题",
    "为这段对话生成一个简短的标题",
];

/// How the first system message begins (in lower case).
const TOLD: &[&str] = &[
    // Open WebUI's choice of tools
    "available tools:",
    // LobeChat: title, then and now
    "you are a professional conversation summarizer. generate a concise title",
    "你是一名擅长会话的助理，你需要将用户的会话总结为",
    // Cherry Studio
    "you are an assistant skilled in conversation. you need to summarize the user's conversation into a title",
    "总结给出的会话，将其总结为语言为",
    // those with templates of their own
    "you are a title generator",
    "you are an autocompletion system",
    "generate a concise title for the conversation",
];

/// No rule looks further, in bytes.
const LONGEST: usize = 240;

static OTHERS: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(&ASKS_FOR.replace(r"\b", r"(?-u:\b)")).ok());

/// Whether the client asks on its own account.
pub fn is_background(ask: &Ask) -> bool {
    match ask {
        Ask::Native(task) => asked(&task.query),
        Ask::Chat(body) => {
            let of = |message: &Message| first(body, message);
            let system = body.messages.iter().find(|m| m.role == Role::System);
            let user = body.messages.iter().rfind(|m| m.role == Role::User);
            // Some ask behind the whole chat, as a system text.
            let last = body.messages.last().filter(|m| m.role == Role::System);
            user.is_some_and(|m| asked(&of(m)))
                || last.is_some_and(|m| begins(&of(m), ASKED))
                || system.is_some_and(|m| told(&of(m)))
        }
    }
}

fn asked(text: &str) -> bool {
    begins(text, ASKED) || is_task(text)
}

fn told(text: &str) -> bool {
    begins(text, TOLD) || is_task(text)
}

/// Whether it is a task of the client's own, under its heading.
fn is_task(text: &str) -> bool {
    let head = head(text);
    let Some(task) = TASK.iter().find_map(|task| head.strip_prefix(task)) else {
        return false;
    };
    if is_about_documents(text) {
        return false;
    }
    let task = task.trim_start_matches([':', '：', '*', ' ', '\r', '\n']);
    TASKS.iter().any(|known| task.starts_with(known))
        || OTHERS.as_ref().is_some_and(|others| others.is_match(task))
        || text.contains(HISTORY)
}

/// A message's first text.
fn first(body: &ChatBody, message: &Message) -> String {
    let pieces = body.pieces(message).into_iter();
    let mut texts = pieces.filter_map(|piece| match piece {
        Piece::Text(text) => Some(text.into_owned()),
        _ => None,
    });
    texts.next().unwrap_or_default()
}

fn begins(text: &str, rules: &[&str]) -> bool {
    let head = head(text);
    rules.iter().any(|rule| head.starts_with(rule))
}

fn head(text: &str) -> String {
    let text = text.trim_start();
    text[..text.floor_char_boundary(LONGEST)].to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use serde_json::json;

    fn asks(system: &str, user: &str) -> bool {
        let body = json!({"messages": [{"role": "system", "content": system}, {"role": "user", "content": user}]});
        let body = ChatBody::parse(Bytes::from(body.to_string())).unwrap();
        is_background(&Ask::Chat(body))
    }

    #[test]
    fn what_clients_ask_on_their_own_account() {
        assert!(asks(
            "",
            "### Task:\nGenerate a concise, 3-5 word title with an emoji summarizing the chat history."
        ));
        assert!(asks(
            "",
            "\n### Task:\nSuggest 3-5 relevant follow-up questions"
        ));
        assert!(asks(
            "",
            "Create a concise, 3-5 word phrase with an emoji as a title for the previous query."
        ));
        assert!(asks(
            "You are a professional conversation summarizer. Generate a concise title that",
            "user: hi"
        ));
        assert!(asks(
            "be nice",
            "使用四到五个字直接返回这句话的简要主题，不要解释"
        ));
        for task in [
            "### Task:\nGenerate 1-3 broad tags categorizing the main themes of the chat history",
            "### Task:\r\nAnalyze the chat history to determine the necessity of generating search queries",
            "### Task:\nYou are an autocompletion system. Continue the text in `<text>`",
            "### Task:\nGenerate a detailed prompt for am image generation task based on",
            "### Task: Please create a short title for this conversation",
            "### 任务：\n为聊天记录生成一个简洁的标题\n<chat_history>\nUSER: 我叫鲍勃\n</chat_history>",
            "### Task:\nSay in three words what it is about.\n<chat_history>\nUSER: hi",
        ] {
            assert!(asks("be nice", task), "{task}");
            assert!(asks(task, "USER: hi"), "{task}");
        }
        let rules = || ASKED.iter().chain(TOLD).chain(TASK).chain(TASKS);
        assert!(rules().map(|rule| rule.len()).max() <= Some(LONGEST));
        assert!(rules().all(|rule| rule.to_lowercase() == **rule));
        assert!(OTHERS.is_some());
    }

    #[test]
    fn a_summary_that_is_asked_for_behind_the_chat() {
        let body = json!({"messages": [
            {"role": "user", "content": "我叫鲍勃"},
            {"role": "assistant", "content": "你好"},
            {"role": "system", "content": "简要总结一下对话内容，用作后续的上下文提示 prompt，控制在 200 字以内"},
        ]});
        let body = ChatBody::parse(Bytes::from(body.to_string())).unwrap();
        assert!(is_background(&Ask::Chat(body)));
    }

    #[test]
    fn what_people_ask() {
        for user in [
            "My name is Ada.",
            "Generate a title for my novel about a lighthouse.",
            "what is ### Task: in Open WebUI?",
            "你好",
            "",
            "### Task:\nWrite a poem for my sister who plays the cello.",
            "### Task:\nGenerate a concise title for my post about my sister's cello.",
            "### Task:\nSuggest questions to ask in the discussion with my boss.",
            "### Task:\nCreate a chat app with titles, tags and search queries.",
            "### 任务：\n帮我计划周末",
            "### Task:\nRespond to the user query using the provided context, incorporating inline \
             citations.\n<context>\n<chat_history>\n</context>\nWhat does my sister play?",
        ] {
            assert!(!asks("You are a helpful assistant.", user), "{user}");
            assert!(!asks(user, "What does my sister play?"), "{user}");
        }
    }
}
