using Aries.TestKit;

namespace Aries.Core.Tests;

public class ChainPredictionTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task RefineAsync_AriesRefinement_PredictsEachDraftByTheOneBefore()
    {
        using ScriptedPolicyModel policy = new("first", "second", "third");

        await new SelfRefiner(policy, new AriesRefinement(3)).RefineAsync("Q", Token);

        Assert.Equal([null, "first", "second"], policy.Requests.Select(request => request.Prediction));
    }

    // A remark repeats nothing; the rewrite after it repeats the draft.
    [Fact]
    public async Task RefineStreamingAsync_SelfRefine_PredictsRewritesAlone()
    {
        using ScriptedPolicyModel policy = new("draft", "remark", "rewrite");

        await foreach (RefinementUpdate update in new SelfRefiner(policy, new SelfRefine(new SelfRefineOptions { TurnCount = 2 })).RefineStreamingAsync("Q", Token))
        {
            Assert.NotNull(update);
        }

        Assert.Equal([null, null, "draft"], policy.Requests.Select(request => request.Prediction));
    }

    [Fact]
    public async Task RefineAsync_ParallelSamples_PredictsNothing()
    {
        using ScriptedPolicyModel policy = new("a");

        await new SelfRefiner(policy, new ParallelSampling(3)).RefineAsync("Q", Token);

        Assert.All(policy.Requests, request => Assert.Null(request.Prediction));
    }

    // 2 KB a draft, most of which is the prompt's text; the model allocates nothing.
    [Fact]
    public void RefineAsync_ModelWithAnswersReady_AllocatesLittleADraft()
    {
        SelfRefiner refiner = new(new PreparedPolicyModel(), new AriesRefinement(4), new SelfRefinerOptions { Sampling = new() { Seed = 1 }, StopWhenUnchanged = false });
        Prompt prompt = "Tom has 12 apples, buys 5 and sells 3. How many?";
        long[] bytes = new long[3];
        for (int run = 0; run < bytes.Length; run++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            Assert.True(refiner.RefineAsync(prompt, Token).IsCompletedSuccessfully);
            bytes[run] = GC.GetAllocatedBytesForCurrentThread() - before;
        }

        Assert.InRange(bytes[^1], 1, 4 * 2048);
    }

    private sealed class PreparedPolicyModel : IPolicyModel
    {
        private static readonly Task<IReadOnlyList<Response>> Answers = Task.FromResult<IReadOnlyList<Response>>(
            [new Response { Text = "14: 17, 14. Tom has fourteen apples in the end.", FinishReason = FinishReason.Stop, Usage = new TokenUsage(200, 20) }]);

        public Task<IReadOnlyList<Response>> GenerateAsync(IReadOnlyList<GenerationRequest> requests, CancellationToken cancellationToken = default) => Answers;

        public IAsyncEnumerable<ResponseUpdate> GenerateStreamingAsync(GenerationRequest request, CancellationToken cancellationToken = default) =>
            throw new NotSupportedException();

        public void Dispose()
        {
        }
    }
}
