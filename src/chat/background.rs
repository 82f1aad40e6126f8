//! Prompts that clients send on their own account: titles, tags, follow-up questions, search
//! queries, autocompletion. Nobody said them, and a title needs no memory: they neither recall nor
//! remember. Every rule is here: how such a prompt begins, whichever message it is in.

use super::{Ask, ChatBody, Message, Role};

/// How the last user message begins (in lower case).
const ASKED: &[&str] = &[
    // Open WebUI: title, tags, follow-ups, queries, image prompt, autocompletion
    "### task:",
    // … title, tags and queries, as they were first
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
    // Open WebUI and others with templates of their own
    "### task:",
    "you are a title generator",
    "you are an autocompletion system",
    "generate a concise title for the conversation",
];

/// No rule is longer, in bytes.
const LONGEST: usize = 160;

/// Whether the client asks on its own account.
pub fn is_background(ask: &Ask) -> bool {
    match ask {
        Ask::Native(task) => begins(&task.query, ASKED),
        Ask::Chat(body) => {
            let system = body.messages.iter().find(|m| m.role == Role::System);
            let user = body.messages.iter().rfind(|m| m.role == Role::User);
            user.is_some_and(|m| begins(&first(body, m), ASKED))
                || system.is_some_and(|m| begins(&first(body, m), TOLD))
        }
    }
}

/// A message's first text.
fn first(body: &ChatBody, message: &Message) -> String {
    let pieces = body.pieces(message);
    pieces
        .first()
        .map(|p| p.text().to_owned())
        .unwrap_or_default()
}

fn begins(text: &str, rules: &[&str]) -> bool {
    let text = text.trim_start();
    let head = text[..text.floor_char_boundary(LONGEST)].to_lowercase();
    rules.iter().any(|rule| head.starts_with(rule))
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
        let longest = ASKED.iter().chain(TOLD).map(|rule| rule.len()).max();
        assert!(longest <= Some(LONGEST));
        assert!(
            ASKED
                .iter()
                .chain(TOLD)
                .all(|rule| rule.to_lowercase() == **rule)
        );
    }

    #[test]
    fn what_people_ask() {
        for user in [
            "My name is Ada.",
            "Generate a title for my novel about a lighthouse.",
            "what is ### Task: in Open WebUI?",
            "你好",
            "",
        ] {
            assert!(!asks("You are a helpful assistant.", user), "{user}");
        }
    }
}
