using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using Microsoft.Extensions.AI;

namespace Aries.Extensions.AI.Tests;

/// <summary>A chat client that answers what a test says, and records what it is asked. Its streams give three letters at a time.</summary>
internal sealed class ScriptedChatClient : IChatClient
{
    private readonly Func<ChatCall, CancellationToken, Task<ChatResponse>> _answer;
    private readonly ConcurrentQueue<ChatCall> _calls = new();
    private int _callCount;
    private int _running;
    private int _mostRunning;

    public ScriptedChatClient(Func<ChatCall, CancellationToken, Task<ChatResponse>> answer) => _answer = answer;

    public ScriptedChatClient(Func<ChatCall, ChatResponse> answer)
        : this((call, _) => Task.FromResult(answer(call)))
    {
    }

    /// <summary>Creates a client whose n-th call answers with the n-th text; the last text repeats.</summary>
    public ScriptedChatClient(params string[] texts)
        : this(call => Answer(call, texts[Math.Min(call.Index, texts.Length - 1)]))
    {
    }

    public IReadOnlyList<ChatCall> Calls => [.. _calls];

    public int MostRunning => _mostRunning;

    public bool IsDisposed { get; private set; }

    /// <summary>Gets what is thrown in a stream after its first update; null for none.</summary>
    public Func<ChatCall, Exception?>? CutStream { get; init; }

    public ChatClientMetadata Metadata { get; init; } = new("scripted", new Uri("http://localhost/"), "script-1");

    /// <summary>Makes a response that counts a token a letter.</summary>
    public static ChatResponse Answer(ChatCall call, string text) => new(new ChatMessage(ChatRole.Assistant, text))
    {
        FinishReason = ChatFinishReason.Stop,
        ModelId = "script-1",
        ResponseId = $"r{call.Index}",
        Usage = Usage(call.Messages.Sum(message => message.Text.Length), text.Length),
    };

    public static UsageDetails Usage(long input, long output) => new() { InputTokenCount = input, OutputTokenCount = output, TotalTokenCount = input + output };

    public async Task<ChatResponse> GetResponseAsync(IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default)
    {
        ChatCall call = Begin(messages, options, cancellationToken);
        try
        {
            return await _answer(call, cancellationToken);
        }
        finally
        {
            Interlocked.Decrement(ref _running);
        }
    }

    public async IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(
        IEnumerable<ChatMessage> messages, ChatOptions? options = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        ChatCall call = Begin(messages, options, cancellationToken);
        try
        {
            ChatResponse response = await _answer(call, cancellationToken);
            string text = response.Text;
            for (int index = 0; index < text.Length; index += 3)
            {
                cancellationToken.ThrowIfCancellationRequested();
                yield return new ChatResponseUpdate(ChatRole.Assistant, text.Substring(index, Math.Min(3, text.Length - index))) { ResponseId = response.ResponseId, ModelId = response.ModelId };
                if (CutStream?.Invoke(call) is { } failure)
                {
                    throw failure;
                }
            }

            List<AIContent> rest = [.. response.Messages.SelectMany(message => message.Contents).Where(content => content is not TextContent)];
            if (response.Usage is { } usage)
            {
                rest.Add(new UsageContent(usage));
            }

            yield return new ChatResponseUpdate(ChatRole.Assistant, rest)
            {
                FinishReason = response.FinishReason,
                ResponseId = response.ResponseId,
                ConversationId = response.ConversationId,
                ModelId = response.ModelId,
            };
        }
        finally
        {
            Interlocked.Decrement(ref _running);
        }
    }

    public object? GetService(Type serviceType, object? serviceKey = null) =>
        serviceKey is not null ? null : serviceType == typeof(ChatClientMetadata) ? Metadata : serviceType.IsInstanceOfType(this) ? this : null;

    public void Dispose() => IsDisposed = true;

    private ChatCall Begin(IEnumerable<ChatMessage> messages, ChatOptions? options, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        ChatCall call = new(Interlocked.Increment(ref _callCount) - 1, [.. messages], options);
        _calls.Enqueue(call);
        int running = Interlocked.Increment(ref _running);
        int seen = Volatile.Read(ref _mostRunning);
        while (running > seen && Interlocked.CompareExchange(ref _mostRunning, running, seen) is int now && now != seen)
        {
            seen = now;
        }

        return call;
    }
}

/// <summary>What a scripted client was asked.</summary>
internal sealed record ChatCall(int Index, IReadOnlyList<ChatMessage> Messages, ChatOptions? Options)
{
    public string Question => Messages[^1].Text;
}
