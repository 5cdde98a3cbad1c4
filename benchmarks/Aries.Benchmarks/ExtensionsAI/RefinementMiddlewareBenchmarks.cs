using Aries.Extensions.AI;
using BenchmarkDotNet.Attributes;
using Microsoft.Extensions.AI;

namespace Aries.Benchmarks.ExtensionsAI;

/// <summary>What refinement costs beside the model: a client that answers at once, asked directly and through the middleware.</summary>
[MemoryDiagnoser]
public class RefinementMiddlewareBenchmarks : IDisposable
{
    private static readonly ChatMessage[] Messages = [new(ChatRole.System, "Answer briefly."), new(ChatRole.User, "Why is the sky blue?")];
    private static readonly ChatOptions Options = new() { Temperature = 0.7f, MaxOutputTokens = 256 };

    private readonly InstantClient _plain = new();
    private IChatClient _refined = new InstantClient();

    [Params(1, 2, 4)]
    public int Turns { get; set; }

    [GlobalSetup]
    public void Setup() => _refined = new InstantClient().AsBuilder().UseSelfRefinement(options => options.Strategy = new AriesRefinement(Turns)).Build();

    [GlobalCleanup]
    public void Dispose()
    {
        _plain.Dispose();
        _refined.Dispose();
        GC.SuppressFinalize(this);
    }

    /// <summary>As many direct calls as the refinement makes.</summary>
    [Benchmark(Baseline = true)]
    public async Task<string> Plain()
    {
        string text = "";
        for (int turn = 0; turn < Turns; turn++)
        {
            text = (await _plain.GetResponseAsync(Messages, Options).ConfigureAwait(false)).Text;
        }

        return text;
    }

    [Benchmark]
    public async Task<string> Refined() => (await _refined.GetResponseAsync(Messages, Options).ConfigureAwait(false)).Text;

    [Benchmark]
    public async Task<int> RefinedStream()
    {
        int length = 0;
        await foreach (ChatResponseUpdate update in _refined.GetStreamingResponseAsync(Messages, Options).ConfigureAwait(false))
        {
            length += update.Text.Length;
        }

        return length;
    }

    /// <summary>Answers at once, each time another text, so that no chain ends early.</summary>
    private sealed class InstantClient : IChatClient
    {
        private static readonly string[] Texts = ["Air scatters blue light more than red.", "Air scatters short waves more than long ones, and blue is short."];
        private int _calls;

        public Task<ChatResponse> GetResponseAsync(IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default) =>
            Task.FromResult(new ChatResponse(new ChatMessage(ChatRole.Assistant, Next())) { FinishReason = ChatFinishReason.Stop, Usage = new UsageDetails { InputTokenCount = 20, OutputTokenCount = 10 } });

        public async IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(
            IEnumerable<ChatMessage> messages, ChatOptions? options = null, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken = default)
        {
            await Task.CompletedTask.ConfigureAwait(false);
            yield return new ChatResponseUpdate(ChatRole.Assistant, Next()) { FinishReason = ChatFinishReason.Stop };
        }

        public object? GetService(Type serviceType, object? serviceKey = null) => null;

        public void Dispose()
        {
        }

        private string Next() => Texts[_calls++ & 1];
    }
}
