using Aries.TestKit;
using CsCheck;

namespace Aries.Core.Tests;

public class PreferenceDataCollectorTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task CollectAsync_Prompts_GivesChainsWithPairsInOrder()
    {
        using ScriptedPolicyModel policy = new((request, call) => ScriptedPolicyModel.Answer(request, new string('x', call + 1)));
        PreferenceDataCollector collector = new(policy, new AriesRefinement(3), new RewardModelSelection(), new() { BatchSize = 8 }, new ScriptedScorer(text => text.Length));

        List<CollectedChain> chains = await collector.CollectAsync(["A", "B"], Token).ToListAsync(Token);

        Assert.Equal(["0", "1"], chains.Select(chain => chain.Trace.Id));
        Assert.Equal(["A", "B"], chains.Select(chain => chain.Trace.Prompt.Question));
        Assert.All(chains, chain => Assert.Equal(("xxx", "x"), (chain.Selection.Pairs[0].Chosen, chain.Selection.Pairs[0].Rejected)));
        Assert.Equal([2, 2, 2], policy.BatchSizes);
    }

    [Fact]
    public async Task CollectAsync_AnyBatchSize_GivesTheSameChains() =>
        await Gen.Select(Gen.Int[0, 20], Gen.Int[1, 25], Gen.Long, Gen.Bool).SampleAsync(async (count, batchSize, seed, unchanged) =>
        {
            ChainRequest[] requests = [.. Enumerable.Range(0, count).Select(index => new ChainRequest($"id-{index}", $"Q{index % 3}"))];

            List<CollectedChain> expected = await Collect(requests, 1);
            List<CollectedChain> actual = await Collect(requests, batchSize);
            List<CollectedChain> tail = await Collect(requests[(count / 2)..], batchSize);

            Assert.Equal(requests.Select(request => request.Id), actual.Select(chain => chain.Trace.Id));
            Assert.Equal(expected.SelectMany(chain => chain.Trace.Steps), actual.SelectMany(chain => chain.Trace.Steps));
            Assert.Equal(expected.Skip(count / 2).SelectMany(chain => chain.Trace.Steps), tail.SelectMany(chain => chain.Trace.Steps));
            Assert.Equal(expected.SelectMany(chain => chain.Selection.Pairs), actual.SelectMany(chain => chain.Selection.Pairs));

            async Task<List<CollectedChain>> Collect(ChainRequest[] wanted, int size)
            {
                using ToyPolicyModel policy = new();
                PreferenceDataCollectorOptions options = new() { BatchSize = size, Sampling = new() { Seed = seed, MaxTokens = 2 }, StopWhenUnchanged = unchanged };
                return await new PreferenceDataCollector(policy, new AriesRefinement(5), new RewardModelSelection(), options, new ScriptedScorer(text => text.Length)).CollectAsync(wanted).ToListAsync();
            }
        }, iter: 200);

    [Fact]
    public async Task CollectAsync_EqualPrompts_GetDrawsOfTheirOwn()
    {
        using ToyPolicyModel policy = new();
        PreferenceDataCollector collector = new(policy, new AriesRefinement(1), new RuleBasedSelection(), new() { Sampling = new() { Seed = 1 } });

        List<CollectedChain> chains = await collector.CollectAsync(Enumerable.Repeat<Prompt>("Q", 20), Token).ToListAsync(Token);

        Assert.True(chains.Select(chain => chain.Trace.Steps[0].Text).Distinct().Count() > 10);
    }

    [Fact]
    public async Task BatchSize_ManyChains_BoundsTheCallsAndWhatIsReadAhead()
    {
        using ScriptedPolicyModel policy = new(_ => "x");
        int read = 0;
        PreferenceDataCollector collector = new(policy, new AriesRefinement(2), new RuleBasedSelection(), new() { BatchSize = 4 });
        int given = 0;

        await foreach (CollectedChain chain in collector.CollectAsync(Prompts(), Token))
        {
            given++;
            Assert.InRange(read - given, 0, 4);
        }

        Assert.Equal(10, given);
        Assert.Equal([4, 4, 4, 4, 2, 2], policy.BatchSizes);

        IEnumerable<Prompt> Prompts()
        {
            while (read < 10)
            {
                read++;
                yield return $"Q{read}";
            }
        }
    }

    [Fact]
    public async Task CollectAsync_ChainsOfDifferentLength_FillFreePlaces()
    {
        // Chain "short" stops after one turn by its unchanged draft; the others go on, and a new one takes its place once it was given.
        using ScriptedPolicyModel policy = new((request, call) => ScriptedPolicyModel.Answer(request, request.Prompt.Question.Contains("short", StringComparison.Ordinal) ? "x" : $"{call}"));
        PreferenceDataCollector collector = new(policy, new AriesRefinement(4), new RuleBasedSelection(), new() { BatchSize = 2, StopWhenUnchanged = true });

        List<CollectedChain> chains = await collector.CollectAsync(["short", "long", "long"], Token).ToListAsync(Token);

        Assert.Equal([2, 4, 4], chains.Select(chain => chain.Trace.Drafts.Count()));
        Assert.Equal([2, 2, 2, 2, 1, 1], policy.BatchSizes);
    }

    [Fact]
    public async Task CollectAsync_FailedChain_IsGivenWithItsErrorAndCounted()
    {
        using ScriptedPolicyModel policy = new((request, call) => call == 1 && request.Prompt.Question.Contains("bad", StringComparison.Ordinal)
            ? Response.Failed(new TimeoutException("too slow"))
            : ScriptedPolicyModel.Answer(request, $"{call}"));
        PreferenceDataCollector collector = new(policy, new AriesRefinement(), new RuleBasedSelection());
        CollectionReport report = new();

        await foreach (CollectedChain chain in collector.CollectAsync(["good", "bad", "fine"], Token))
        {
            report.Add(chain);
        }

        Assert.Equal((3, 1, 2, 1), (report.ChainCount, report.FailedCount, report.PairCount, report.DropCount));
        Assert.Equal(new Dictionary<string, int> { [PairDropReasons.TooFewDrafts] = 1 }, report.DropsByReason);
        Assert.Equal(9, report.Usage.ResponseTokens);
    }

    [Fact]
    public async Task CollectAsync_EngineFails_EveryPromptIsReported()
    {
        using ScriptedPolicyModel policy = new("x") { FailAtCall = 1 };
        PreferenceDataCollector collector = new(policy, new AriesRefinement(), new RuleBasedSelection(), new() { BatchSize = 2 });

        List<CollectedChain> chains = await collector.CollectAsync(["A", "B", "C"], Token).ToListAsync(Token);

        Assert.Equal(["scripted failure", "scripted failure", null], chains.Select(chain => chain.Trace.Error));
        Assert.Equal([1, 1, 4], chains.Select(chain => chain.Trace.Steps.Count));
    }

    [Fact]
    public async Task CollectAsync_NaNScore_ThrowsAndNamesTheScorer()
    {
        using ScriptedPolicyModel policy = new("x");
        PreferenceDataCollector collector = new(policy, new AriesRefinement(), new RewardModelSelection(), null, new DelegateRewardScorer((_, _) => double.NaN, "length rule"));

        ScoringException exception = await Assert.ThrowsAsync<ScoringException>(async () => await collector.CollectAsync(["A"], Token).ToListAsync(Token));

        Assert.Equal("length rule", exception.Scorer);
        Assert.Equal(double.NaN, exception.ActualScore);
    }

    [Fact]
    public async Task CollectAsync_Cancelled_ThrowsAfterWholeChains()
    {
        using CancellationTokenSource source = new();
        using ScriptedPolicyModel policy = new("a", "b", "c", "d");
        PreferenceDataCollector collector = new(policy, new AriesRefinement(2), new RuleBasedSelection(), new() { BatchSize = 1 });
        List<CollectedChain> chains = [];

        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            await foreach (CollectedChain chain in collector.CollectAsync(["A", "B", "C"], source.Token))
            {
                chains.Add(chain);
                await source.CancelAsync();
            }
        });

        Assert.Equal(2, Assert.Single(chains).Trace.Drafts.Count());
    }

    [Fact]
    public async Task CollectAsync_NameTwice_Throws()
    {
        using ScriptedPolicyModel policy = new("a");
        PreferenceDataCollector collector = new(policy, new AriesRefinement(), new RuleBasedSelection());

        ArgumentException exception = await Assert.ThrowsAsync<ArgumentException>(
            async () => await collector.CollectAsync([new ChainRequest("p", "A"), new ChainRequest("p", "B")], Token).ToListAsync(Token));

        Assert.Contains("\"p\"", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task CollectAsync_Sampling_UsesItsOptions()
    {
        using ScriptedPolicyModel policy = new((request, call) => ScriptedPolicyModel.Answer(request, $"{call}"));
        PreferenceDataCollectorOptions options = new() { Sampling = new() { Temperature = 0.9f }, RefinementSampling = new() { Temperature = 0.1f }, MaxTurns = 2 };

        await new PreferenceDataCollector(policy, new AriesRefinement(), new RuleBasedSelection(), options).CollectAsync(["A"], Token).ToListAsync(Token);

        Assert.Equal([0.9f, 0.1f], policy.Requests.Select(request => request.Options.Temperature));
    }

    [Fact]
    public async Task Constructor_OptionsChangedAfterwards_DoNotMatter()
    {
        using ScriptedPolicyModel policy = new((request, call) => ScriptedPolicyModel.Answer(request, $"{call}"));
        List<string> stops = ["."];
        PreferenceDataCollectorOptions options = new() { Sampling = new() { Temperature = 0.9f, StopSequences = stops }, MaxTurns = 2 };
        PreferenceDataCollector collector = new(policy, new AriesRefinement(), new RuleBasedSelection(), options);

        (options.MaxTurns, options.Sampling.Temperature) = (1, 0);
        stops.Add("!");
        await collector.CollectAsync(["A"], Token).ToListAsync(Token);

        Assert.Equal([0.9f, 0.9f], policy.Requests.Select(request => request.Options.Temperature));
        Assert.All(policy.Requests, request => Assert.Equal(["."], request.Options.StopSequences));
    }

    [Fact]
    public async Task TokenBudget_Small_EndsChains()
    {
        using ScriptedPolicyModel policy = new((request, call) => ScriptedPolicyModel.Answer(request, $"{call}"));
        PreferenceDataCollectorOptions options = new() { Sampling = new() { MaxTokens = 5 }, TokenBudget = 10 };

        List<CollectedChain> chains = await new PreferenceDataCollector(policy, new AriesRefinement(), new RuleBasedSelection(), options).CollectAsync(["A"], Token).ToListAsync(Token);

        Assert.Equal(RefinementStopReason.TokenBudget, Assert.Single(chains).Trace.StopReason);
    }

    [Fact]
    public void Constructor_SelectorNeedsScoresAndThereIsNoScorer_Throws()
    {
        using ScriptedPolicyModel policy = new("a");

        Assert.Throws<ArgumentException>(() => new PreferenceDataCollector(policy, new AriesRefinement(), new RewardModelSelection()));
        Assert.Throws<ArgumentException>(() => new PreferenceDataCollector(policy, new AriesRefinement(), new RuleBasedSelection(requireAgreement: true)));
        Assert.Throws<ArgumentException>(() => new PreferenceDataCollector(policy, new AriesRefinement(), new FilteredSelection(new RuleBasedSelection(), new() { MinimumMargin = 1 })));
    }

    [Fact]
    public void Constructor_InvalidOption_NamesIt()
    {
        using ScriptedPolicyModel policy = new("a");

        ArgumentOutOfRangeException batch = Assert.Throws<ArgumentOutOfRangeException>(() => new PreferenceDataCollector(policy, new AriesRefinement(), new RuleBasedSelection(), new() { BatchSize = 0 }));
        ArgumentOutOfRangeException turns = Assert.Throws<ArgumentOutOfRangeException>(() => new PreferenceDataCollector(policy, new AriesRefinement(), new RuleBasedSelection(), new() { MaxTurns = 0 }));

        Assert.Equal("BatchSize", batch.ParamName);
        Assert.Equal("MaxTurns", turns.ParamName);
    }

    [Theory]
    [InlineData("", "Q")]
    [InlineData("id", " ")]
    public void ChainRequest_BlankIdOrPrompt_Throws(string id, string prompt) => Assert.Throws<ArgumentException>(() => new ChainRequest(id, prompt));
}
