using Aries.TestKit;
using CsCheck;
using Microsoft.Extensions.Time.Testing;

namespace Aries.Core.Tests;

public class SelfRefinerTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task RefineAsync_Default_GivesTheLastDraftAndTheWholeTrace()
    {
        using ScriptedPolicyModel policy = new("aa", "bbb", "c", "dddd");

        RefinementResult result = await new SelfRefiner(policy, new AriesRefinement()).RefineAsync("Q", Token);

        Assert.Equal("dddd", result.Answer);
        Assert.Equal(3, result.AnswerIndex);
        Assert.Equal(RefinementStopReason.Completed, result.StopReason);
        Assert.Null(result.Error);
        Assert.Equal(10, result.Usage.ResponseTokens);
        Assert.Equal(policy.Requests.Sum(request => request.Prompt.Question.Length), result.Usage.PromptTokens);
        Assert.All(result.Trace.Steps, step => Assert.Null(step.Score));
    }

    [Fact]
    public async Task RefineAsync_BatchOfRandomPrompts_EqualsSingles() =>
        await Gen.Select(JsonlGenerators.Prompt.Where(prompt => !prompt.IsBlank).Array[1, 6], Gen.Long, Gen.Int[0, 3], Gen.Bool).SampleAsync(async (prompts, seed, strategyIndex, scored) =>
        {
            using ToyPolicyModel policy = new();
            IRefinementStrategy[] strategies = [new AriesRefinement(), new SelfRefine(), new ParallelSampling(3), new SampledRefinement()];
            SelfRefinerOptions options = new()
            {
                Sampling = new() { Seed = seed, MaxTokens = 5 },
                MinimumGain = scored ? 0 : null,
                FinalAnswer = scored ? FinalAnswer.BestScored : FinalAnswer.Last,
            };
            ScriptedScorer scorer = new(text => text.Length);
            SelfRefiner refiner = new(policy, strategies[strategyIndex], options, scored ? scorer : null);

            IReadOnlyList<RefinementResult> batch = await refiner.RefineAsync(prompts);

            for (int index = 0; index < prompts.Length; index++)
            {
                AssertSame(await refiner.RefineAsync(prompts[index]), batch[index]);
                Assert.Equal(prompts[index], batch[index].Trace.Prompt);
            }
        }, iter: 300);

    [Fact]
    public async Task RefineStreamingAsync_AnyChain_EqualsTheWhole() =>
        await Gen.Select(JsonlGenerators.Prompt.Where(prompt => !prompt.IsBlank), Gen.Long, Gen.Int[0, 3], Gen.Bool).SampleAsync(async (prompt, seed, strategyIndex, scored) =>
        {
            using ToyPolicyModel policy = new();
            IRefinementStrategy[] strategies = [new AriesRefinement(), new SelfRefine(), new ParallelSampling(3), new SampledRefinement()];
            SelfRefinerOptions options = new() { Sampling = new() { Seed = seed }, ScoreThreshold = scored ? 30 : null };
            SelfRefiner refiner = new(policy, strategies[strategyIndex], options, scored ? new ScriptedScorer(text => text.Length) : null);

            RefinementResult whole = await refiner.RefineAsync(prompt);
            List<RefinementUpdate> updates = await refiner.RefineStreamingAsync(prompt).ToListAsync();

            AssertSame(whole, Assert.IsType<RefinementCompletedUpdate>(updates[^1]).Result);
            Assert.Single(updates.OfType<RefinementCompletedUpdate>());
            Assert.Equal(whole.Trace.Steps, updates.OfType<StepCompletedUpdate>().Select(update => update.Step));
            Assert.Equal(Enumerable.Range(0, whole.Trace.Steps.Count), updates.OfType<StepStartedUpdate>().Select(update => update.StepIndex));
            Assert.Equal(
                whole.Trace.Steps.Select(step => step.Text),
                Enumerable.Range(0, whole.Trace.Steps.Count).Select(index => string.Concat(updates.OfType<StepTextUpdate>().Where(update => update.StepIndex == index).Select(update => update.Text))));
        }, iter: 300);

    [Fact]
    public async Task RefineStreamingAsync_LastTurn_IsAnnouncedAsTheAnswer()
    {
        using ScriptedPolicyModel policy = new("a", "b", "c", "d");

        List<StepStartedUpdate> byStrategy = await Started(new SelfRefiner(policy, new AriesRefinement()));
        List<StepStartedUpdate> byMaxTurns = await Started(new SelfRefiner(policy, new AriesRefinement(), new() { MaxTurns = 2, StopWhenUnchanged = false }));
        List<StepStartedUpdate> bestScored = await Started(new SelfRefiner(policy, new AriesRefinement(), new() { FinalAnswer = FinalAnswer.BestScored }, new ScriptedScorer(_ => 1)));

        Assert.Equal([false, false, false, true], byStrategy.Select(update => update.IsFinalAnswer));
        Assert.Equal([false, true], byMaxTurns.Select(update => update.IsFinalAnswer));
        Assert.DoesNotContain(bestScored, update => update.IsFinalAnswer);

        static async Task<List<StepStartedUpdate>> Started(SelfRefiner refiner) => await refiner.RefineStreamingAsync("Q", Token).OfType<StepStartedUpdate>().ToListAsync(Token);
    }

    [Fact]
    public async Task Sampling_FirstAndLaterSteps_UseTheirOwn()
    {
        using ScriptedPolicyModel policy = new("a", "b", "c", "d");
        SelfRefinerOptions options = new() { Sampling = new() { Temperature = 1, Seed = 3 }, RefinementSampling = new() { Temperature = 0.5f } };

        await new SelfRefiner(policy, new AriesRefinement(), options).RefineAsync("Q", Token);

        Assert.Equal([1, 0.5f, 0.5f, 0.5f], policy.Requests.Select(request => request.Options.Temperature));
        Assert.NotNull(policy.Requests[0].Options.Seed);
        Assert.All(policy.Requests.Skip(1), request => Assert.Null(request.Options.Seed));
    }

    [Fact]
    public async Task Seed_EachDraft_HasItsOwnAndTheSameAgain()
    {
        using ScriptedPolicyModel policy = new((request, call) => ScriptedPolicyModel.Answer(request, $"{call}"));
        SelfRefiner refiner = new(policy, new AriesRefinement(), new() { Sampling = new() { Seed = 7 } });

        await refiner.RefineAsync("Q", Token);
        await refiner.RefineAsync("Q", Token);
        await refiner.RefineAsync("Other", Token);

        long?[] seeds = [.. policy.Requests.Select(request => request.Options.Seed)];
        Assert.Equal(seeds[..4], seeds[4..8]);
        Assert.Equal(8, seeds[4..].Distinct().Count());
        Assert.All(seeds, seed => Assert.True(seed >= 0));
    }

    // By the documented formula, computed apart in Python; pinned, so that runs of one version can be resumed by the next.
    [Fact]
    public void Derive_KnownInput_IsPinned() => Assert.Equal(9175668987263000406L, Seeds.Derive(42, "p1", 2, 1));

    [Fact]
    public void Derive_ManySteps_SpreadsOverAllBits()
    {
        int[] counts = new int[63];
        for (int index = 0; index < 10_000; index++)
        {
            long seed = Seeds.Derive(1, $"{index % 100}", index / 100, 0);
            for (int bit = 0; bit < 63; bit++)
            {
                counts[bit] += (int)(seed >> bit) & 1;
            }
        }

        // 10,000 fair bits: mean 5000, standard deviation 50; six of them bound all 63.
        Assert.All(counts, count => Assert.InRange(count, 4700, 5300));
    }

    [Fact]
    public async Task MaxTurns_FewerThanTheStrategy_EndsTheChain()
    {
        using ScriptedPolicyModel policy = new("d1", "f1", "d2", "f2", "d3");

        RefinementResult result = await new SelfRefiner(policy, new SelfRefine(), new() { MaxTurns = 2 }).RefineAsync("Q", Token);

        Assert.Equal(["d1", "f1", "d2"], result.Trace.Steps.Select(step => step.Text));
        Assert.Equal(RefinementStopReason.Completed, result.StopReason);
    }

    // Prompts and answers count a token a character. Direct: 1 + 10. The refinement prompt is the template's 4 + 1 + 10 characters, one token each: 15, and may write 10: 25 a step.
    // 11 + 25 = 36 fits into 36, and the third step, 36 + 25, needs 61.
    [Theory]
    [InlineData(35, 1)]
    [InlineData(36, 2)]
    [InlineData(60, 2)]
    [InlineData(61, 3)]
    [InlineData(1000, 4)]
    public async Task TokenBudget_NextStepWouldExceedIt_StopsBefore(long budget, int drafts)
    {
        using ScriptedPolicyModel policy = new((request, call) => ScriptedPolicyModel.Answer(request, $"{call}123456789"));
        SelfRefinerOptions options = new() { Sampling = new() { MaxTokens = 10 }, TokenBudget = budget };

        RefinementResult result = await new SelfRefiner(policy, new AriesRefinement(4, new("[{question}|{response}]x")), options).RefineAsync("Q", Token);

        Assert.Equal(drafts, result.Trace.Drafts.Count());
        Assert.Equal(drafts == 4 ? RefinementStopReason.Completed : RefinementStopReason.TokenBudget, result.StopReason);
        Assert.InRange(result.Usage.TotalTokens, 1, budget);
    }

    [Fact]
    public async Task TokenBudget_PolicyWithoutUsage_IsNotSupported()
    {
        using ScriptedPolicyModel policy = new((_, _) => new Response { Text = "x", FinishReason = FinishReason.Stop });

        await Assert.ThrowsAsync<NotSupportedException>(() => new SelfRefiner(policy, new AriesRefinement(), new() { TokenBudget = 1000 }).RefineAsync("Q", Token));
    }

    [Fact]
    public async Task TimeBudget_UsedUpBetweenSteps_Stops()
    {
        FakeTimeProvider time = new();
        using ScriptedPolicyModel policy = new((request, call) =>
        {
            time.Advance(TimeSpan.FromSeconds(3));
            return ScriptedPolicyModel.Answer(request, $"{call}");
        });

        RefinementResult result = await new SelfRefiner(policy, new AriesRefinement(), new() { TimeBudget = TimeSpan.FromSeconds(5) }, timeProvider: time).RefineAsync("Q", Token);

        Assert.Equal(RefinementStopReason.TimeBudget, result.StopReason);
        Assert.Equal("1", result.Answer);
        Assert.Equal(TimeSpan.FromSeconds(6), result.Duration);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task TimeBudget_UsedUpWithinARefinement_AbandonsItAndKeepsTheDirectAnswer(bool streaming)
    {
        FakeTimeProvider time = new();
        using ScriptedPolicyModel policy = new("one", "two") { Delay = TimeSpan.FromSeconds(10), TimeProvider = time };
        SelfRefiner refiner = new(policy, new AriesRefinement(), new() { TimeBudget = TimeSpan.FromSeconds(15) }, timeProvider: time);

        Task<RefinementResult> running = streaming ? Last(refiner) : refiner.RefineAsync("Q", Token);
        while (!running.IsCompleted)
        {
            time.Advance(TimeSpan.FromSeconds(1));
            await Task.Delay(1, Token);
        }

        RefinementResult result = await running;
        Assert.Equal(RefinementStopReason.TimeBudget, result.StopReason);
        Assert.Equal("one", result.Answer);
        Assert.Equal(2, policy.CallCount);
        Assert.Null(result.Error);

        static async Task<RefinementResult> Last(SelfRefiner refiner) =>
            ((RefinementCompletedUpdate)await refiner.RefineStreamingAsync("Q", Token).LastAsync(Token)).Result;
    }

    [Fact]
    public async Task TimeBudget_ShorterThanTheDirectAnswer_StillGivesIt()
    {
        FakeTimeProvider time = new() { AutoAdvanceAmount = TimeSpan.FromSeconds(1) };
        using ScriptedPolicyModel policy = new("one", "two");

        RefinementResult result = await new SelfRefiner(policy, new AriesRefinement(), new() { TimeBudget = TimeSpan.FromTicks(1) }, timeProvider: time).RefineAsync("Q", Token);

        Assert.Equal("one", result.Answer);
        Assert.Equal(RefinementStopReason.TimeBudget, result.StopReason);
    }

    [Theory]
    [InlineData(true, 2, RefinementStopReason.Unchanged)]
    [InlineData(false, 4, RefinementStopReason.Completed)]
    public async Task StopWhenUnchanged_EqualDrafts_StopsIfSet(bool stop, int drafts, RefinementStopReason reason)
    {
        using ScriptedPolicyModel policy = new("same", "same", "other", "another");

        RefinementResult result = await new SelfRefiner(policy, new AriesRefinement(), new() { StopWhenUnchanged = stop }).RefineAsync("Q", Token);

        Assert.Equal((drafts, reason), (result.Trace.Drafts.Count(), result.StopReason));
    }

    [Fact]
    public async Task StopWhenUnchanged_RemarksBetween_ComparesDrafts()
    {
        using ScriptedPolicyModel policy = new("same", "remark", "same", "x");

        RefinementResult result = await new SelfRefiner(policy, new SelfRefine()).RefineAsync("Q", Token);

        Assert.Equal(RefinementStopReason.Unchanged, result.StopReason);
        Assert.Equal(3, policy.CallCount);
    }

    // Scores are the drafts' lengths: 2, 3, 5, 5.
    [Theory]
    [InlineData(null, 4)]
    [InlineData(0.0, 4)]
    [InlineData(0.9, 4)]
    [InlineData(1.0, 2)]
    [InlineData(2.0, 2)]
    [InlineData(1.5, 2)]
    public async Task MinimumGain_ScoreDoesNotGainMore_Stops(double? gain, int drafts)
    {
        using ScriptedPolicyModel policy = new("12", "123", "12345", "abcde");

        RefinementResult result = await new SelfRefiner(policy, new AriesRefinement(), new() { MinimumGain = gain }, new ScriptedScorer(text => text.Length)).RefineAsync("Q", Token);

        Assert.Equal(drafts, result.Trace.Drafts.Count());
        Assert.Equal(gain is null ? RefinementStopReason.Completed : RefinementStopReason.NoGain, result.StopReason);
    }

    [Fact]
    public async Task MinimumGain_ComparesWithTheBestBefore_NotWithTheLast()
    {
        Dictionary<string, double> scores = new() { ["a"] = 5, ["b"] = 6, ["c"] = 6 };
        using ScriptedPolicyModel policy = new("a", "b", "c", "d");

        RefinementResult result = await new SelfRefiner(policy, new AriesRefinement(), new() { MinimumGain = 0 }, new ScriptedScorer(text => scores[text])).RefineAsync("Q", Token);

        Assert.Equal("c", result.Answer);
        Assert.Equal(RefinementStopReason.NoGain, result.StopReason);
    }

    [Fact]
    public async Task StopRules_InvalidScores_DoNotStop()
    {
        using ScriptedPolicyModel policy = new("a", "b", "c", "d");
        SelfRefinerOptions options = new() { MinimumGain = 0, ScoreThreshold = 0, FinalAnswer = FinalAnswer.BestScored };

        RefinementResult result = await new SelfRefiner(policy, new AriesRefinement(), options, new ScriptedScorer(_ => RewardScore.Invalid("unparsable"))).RefineAsync("Q", Token);

        Assert.Equal(RefinementStopReason.Completed, result.StopReason);
        Assert.Equal("d", result.Answer);
    }

    [Theory]
    [InlineData(2.5, 2, RefinementStopReason.ThresholdReached)]
    [InlineData(3.0, 2, RefinementStopReason.ThresholdReached)]
    [InlineData(3.1, 3, RefinementStopReason.ThresholdReached)]
    [InlineData(9.0, 4, RefinementStopReason.Completed)]
    public async Task ScoreThreshold_Reached_Stops(double threshold, int drafts, RefinementStopReason reason)
    {
        using ScriptedPolicyModel policy = new("12", "123", "12345", "12");

        RefinementResult result = await new SelfRefiner(policy, new AriesRefinement(), new() { ScoreThreshold = threshold }, new ScriptedScorer(text => text.Length)).RefineAsync("Q", Token);

        Assert.Equal((drafts, reason), (result.Trace.Drafts.Count(), result.StopReason));
    }

    // Lengths 2, 4, 4, 1.
    [Theory]
    [InlineData(FinalAnswer.Last, 3)]
    [InlineData(FinalAnswer.BestScored, 2)]
    [InlineData(FinalAnswer.FirstAboveThreshold, 1)]
    public async Task FinalAnswer_ParallelSamples_ChoosesByItsRule(FinalAnswer rule, int index)
    {
        string[] texts = ["12", "1234", "abcd", "1"];
        int next = 0;
        using ScriptedPolicyModel policy = new((request, _) => ScriptedPolicyModel.Answer(request, texts[next++]));
        SelfRefinerOptions options = new() { FinalAnswer = rule, ScoreThreshold = rule == FinalAnswer.FirstAboveThreshold ? 3 : null };

        RefinementResult result = await new SelfRefiner(policy, new ParallelSampling(4), options, new ScriptedScorer(text => text.Length)).RefineAsync("Q", Token);

        Assert.Equal(index, result.AnswerIndex);
        Assert.Equal(texts[index], result.Answer);
    }

    [Fact]
    public async Task FirstAboveThreshold_NoneReachesIt_FallsBackToTheBest()
    {
        using ScriptedPolicyModel policy = new("12", "1234", "123", "1");
        SelfRefinerOptions options = new() { FinalAnswer = FinalAnswer.FirstAboveThreshold, ScoreThreshold = 99 };

        RefinementResult result = await new SelfRefiner(policy, new AriesRefinement(), options, new ScriptedScorer(text => text.Length)).RefineAsync("Q", Token);

        Assert.Equal("1234", result.Answer);
    }

    [Theory]
    [InlineData(new[] { "7", "8", "7", "x" }, 2)]
    [InlineData(new[] { "7", "8", "x", "9" }, 3)]
    [InlineData(new[] { "8", "7", "7", "8" }, 3)]
    [InlineData(new[] { "x", "y", "z", "w" }, 3)]
    [InlineData(new[] { "7", "x", "y", "z" }, 0)]
    public async Task MajorityVote_Samples_TakesTheLatestDraftOfTheMostFrequentAnswer(string[] texts, int index)
    {
        int next = 0;
        using ScriptedPolicyModel policy = new((request, _) => ScriptedPolicyModel.Answer(request, texts[next++]));

        RefinementResult result = await Baselines.MajorityVote(policy, 4, Gsm8kAnswerExtractor.Flexible).RefineAsync("Q", Token);

        Assert.Equal(index, result.AnswerIndex);
    }

    [Fact]
    public async Task BestOf_Samples_TakesTheBest()
    {
        string[] texts = ["1", "123", "12"];
        int next = 0;
        using ScriptedPolicyModel policy = new((request, _) => ScriptedPolicyModel.Answer(request, texts[next++]));
        ScriptedScorer scorer = new(text => text.Length);

        RefinementResult result = await Baselines.BestOf(policy, 3, scorer).RefineAsync("Q", Token);

        Assert.Equal("123", result.Answer);
        Assert.Equal([3], scorer.BatchSizes);
    }

    [Fact]
    public async Task Direct_Prompt_IsOneSample()
    {
        using ScriptedPolicyModel policy = new("one", "two");

        RefinementResult result = await Baselines.Direct(policy, new() { Temperature = 0 }).RefineAsync("Q", Token);

        Assert.Equal("one", result.Answer);
        Assert.Equal(0, Assert.Single(policy.Requests).Options.Temperature);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task OnFailure_PolicyFailsInTurnThree_ReturnsTwoDraftsAndTheError(bool streaming)
    {
        using ScriptedPolicyModel policy = new("one", "two", "three") { FailAtCall = 2 };
        SelfRefiner refiner = new(policy, new AriesRefinement());

        RefinementResult result = streaming
            ? ((RefinementCompletedUpdate)await refiner.RefineStreamingAsync("Q", Token).LastAsync(Token)).Result
            : await refiner.RefineAsync("Q", Token);

        Assert.Equal("two", result.Answer);
        Assert.Equal(["one", "two"], result.Trace.Steps.Select(step => step.Text));
        Assert.Equal(RefinementStopReason.Failed, result.StopReason);
        Assert.Same(policy.Failure, result.Error);
        Assert.Equal("scripted failure", result.Trace.Error);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task OnFailure_Throw_CarriesTheTrace(bool streaming)
    {
        using ScriptedPolicyModel policy = new("one", "two", "three") { FailAtCall = 2 };
        SelfRefiner refiner = new(policy, new AriesRefinement(), new() { OnFailure = FailureBehavior.Throw });

        RefinementException exception = await Assert.ThrowsAsync<RefinementException>(async () =>
        {
            if (streaming)
            {
                await refiner.RefineStreamingAsync("Q", Token).LastAsync(Token);
            }
            else
            {
                await refiner.RefineAsync("Q", Token);
            }
        });

        Assert.Equal(2, exception.Trace.Drafts.Count());
        Assert.Same(policy.Failure, exception.InnerException);
        Assert.Contains("after 2 drafts", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task RefineAsync_FailsBeforeTheFirstDraft_HasNoAnswer()
    {
        using ScriptedPolicyModel policy = new("one") { FailAtCall = 0 };

        RefinementResult result = await new SelfRefiner(policy, new AriesRefinement()).RefineAsync("Q", Token);

        Assert.Null(result.Answer);
        Assert.Null(result.AnswerIndex);
        Assert.Same(policy.Failure, result.Error);
    }

    [Fact]
    public async Task RefineAsync_OneRequestOfABatchFails_TheOthersGoOn()
    {
        using ScriptedPolicyModel policy = new((request, call) =>
            call == 1 && request.Prompt.Question.Contains("bad", StringComparison.Ordinal)
                ? Response.Failed(new TimeoutException("too slow"), "half an")
                : ScriptedPolicyModel.Answer(request, $"draft {call}"));

        IReadOnlyList<RefinementResult> results = await new SelfRefiner(policy, new AriesRefinement()).RefineAsync(["good", "bad", "fine"], Token);

        Assert.Equal(["draft 3", "draft 0", "draft 3"], results.Select(result => result.Answer));
        Assert.IsType<TimeoutException>(results[1].Error);
        Assert.Null(results[0].Error);
    }

    // The refinement prompt of one chain outgrows the context: the policy refuses the batch as a whole, and only that chain may end.
    [Fact]
    public async Task RefineAsync_OnePromptIsRefused_OnlyItsChainFails() => await Gen.Int[1, 9].SelectMany(count => Gen.Select(Gen.Const(count), Gen.Int[0, count - 1])).SampleAsync(async (count, culprit) =>
    {
        using ScriptedPolicyModel policy = new((request, call) => ScriptedPolicyModel.Answer(request, $"{call}"));
        using RefusingPolicyModel refusing = new(policy, request => request.Prompt.Question.Contains($"<{culprit}>", StringComparison.Ordinal) && request.Prompt.Question.Length > 10);

        IReadOnlyList<RefinementResult> results = await new SelfRefiner(refusing, new AriesRefinement()).RefineAsync([.. Enumerable.Range(0, count).Select(index => (Prompt)$"<{index}>")]);

        for (int index = 0; index < count; index++)
        {
            Assert.Equal(index == culprit ? 1 : 4, results[index].Trace.Drafts.Count());
            Assert.Equal(index == culprit, results[index].Error is ArgumentException);
        }
    }, iter: 60);

    [Fact]
    public async Task RefineAsync_ScorerFails_KeepsTheDraft()
    {
        using ScriptedPolicyModel policy = new("one", "two");
        ScriptedScorer scorer = new(_ => 1) { Failure = new HttpRequestException("judge down") };

        RefinementResult result = await new SelfRefiner(policy, new AriesRefinement(), null, scorer).RefineAsync("Q", Token);

        Assert.Equal("one", result.Answer);
        Assert.Same(scorer.Failure, result.Error);
        Assert.Equal(RefinementStopReason.Failed, result.StopReason);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(-1)]
    public async Task RefineAsync_WrongNumberOfScores_ThrowsAndNamesTheScorer(int extra)
    {
        using ScriptedPolicyModel policy = new("one", "two");
        ScriptedScorer scorer = new(_ => 1) { ExtraScoreCount = extra };

        ScoringException exception = await Assert.ThrowsAsync<ScoringException>(() => new SelfRefiner(policy, new AriesRefinement(), null, scorer).RefineAsync(["Q", "R"], Token));

        Assert.Equal((2, 2 + extra), (exception.ExpectedCount, exception.ActualCount));
        Assert.Contains(nameof(ScriptedScorer), exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task RefineAsync_PolicyGivesTooFewResponses_Throws()
    {
        using ScriptedPolicyModel inner = new("one");
        using TruncatingPolicyModel policy = new(inner);

        InvalidOperationException exception = await Assert.ThrowsAsync<InvalidOperationException>(() => new SelfRefiner(policy, new AriesRefinement()).RefineAsync(["Q", "R"], Token));

        Assert.Contains("1 responses to 2 requests", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task RefineAsync_UnsupportedOption_Throws()
    {
        using ScriptedPolicyModel policy = new("one") { FailAtCall = 0, Failure = new NotSupportedException("MinP") };

        await Assert.ThrowsAsync<NotSupportedException>(() => new SelfRefiner(policy, new AriesRefinement()).RefineAsync("Q", Token));
    }

    [Fact]
    public async Task RefineAsync_DisposedPolicy_Throws()
    {
        ScriptedPolicyModel policy = new("one");
        policy.Dispose();

        await Assert.ThrowsAsync<ObjectDisposedException>(() => new SelfRefiner(policy, new AriesRefinement()).RefineAsync("Q", Token));
    }

    [Fact]
    public async Task RefineAsync_PolicyTimesOutOnItsOwn_IsAFailureAndNoCancellation()
    {
        using ScriptedPolicyModel policy = new("one", "two") { FailAtCall = 1, Failure = new TaskCanceledException("http timeout") };

        RefinementResult result = await new SelfRefiner(policy, new AriesRefinement()).RefineAsync("Q", Token);

        Assert.Same(policy.Failure, result.Error);
        Assert.Equal("one", result.Answer);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task RefineAsync_CancelledInTurnTwo_Throws(bool streaming)
    {
        using CancellationTokenSource source = new();
        using ScriptedPolicyModel policy = new((request, call) =>
        {
            if (call == 1)
            {
                source.Cancel();
            }

            return ScriptedPolicyModel.Answer(request, $"{call}");
        });
        SelfRefiner refiner = new(policy, new AriesRefinement());

        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            if (streaming)
            {
                await refiner.RefineStreamingAsync("Q", source.Token).LastAsync(CancellationToken.None);
            }
            else
            {
                await refiner.RefineAsync("Q", source.Token);
            }
        });

        Assert.Equal(2, policy.CallCount);
    }

    [Fact]
    public async Task RefineAsync_BlankPrompt_NamesItsIndex()
    {
        using ScriptedPolicyModel policy = new("one");
        SelfRefiner refiner = new(policy, new AriesRefinement());

        ArgumentException exception = await Assert.ThrowsAsync<ArgumentException>(() => refiner.RefineAsync(["Q", " \n"], Token));
        Assert.Throws<ArgumentException>(() => refiner.RefineStreamingAsync(" ", Token));
        await Assert.ThrowsAsync<ArgumentNullException>(() => refiner.RefineAsync((Prompt)null!, Token));

        Assert.Contains("index 1", exception.Message, StringComparison.Ordinal);
        Assert.Equal(0, policy.CallCount);
    }

    [Fact]
    public async Task RefineAsync_NoPrompts_GivesNothing()
    {
        using ScriptedPolicyModel policy = new("one");

        Assert.Empty(await new SelfRefiner(policy, new AriesRefinement()).RefineAsync([], Token));
        Assert.Equal(0, policy.CallCount);
    }

    [Fact]
    public async Task RefineAsync_ResponseWithALoneSurrogate_IsMadeWellFormed()
    {
        using ScriptedPolicyModel policy = new("a\uD83D", "😀");

        RefinementResult result = await new SelfRefiner(policy, new AriesRefinement(2)).RefineAsync("Q", Token);

        Assert.Equal(["a\uFFFD", "😀"], result.Trace.Steps.Select(step => step.Text));
    }

    [Fact]
    public async Task RefineAsync_ManyAtOnce_DoNotMix()
    {
        using ToyPolicyModel policy = new();
        SelfRefiner refiner = new(policy, new AriesRefinement(), new() { Sampling = new() { Seed = 5 } });
        RefinementResult[] expected = [.. await Task.WhenAll(Enumerable.Range(0, 50).Select(index => refiner.RefineAsync($"Q{index}", Token)))];

        RefinementResult[] again = await Task.WhenAll(Enumerable.Range(0, 50).Select(index => Task.Run(() => refiner.RefineAsync($"Q{index}", Token), Token)));

        for (int index = 0; index < expected.Length; index++)
        {
            AssertSame(expected[index], again[index]);
        }
    }

    [Fact]
    public async Task Constructor_OptionsChangedAfterwards_DoNotMatter()
    {
        using ScriptedPolicyModel policy = new("a", "b", "c", "d");
        List<string> stops = ["."];
        SelfRefinerOptions options = new() { MaxTurns = 1, Sampling = new() { Temperature = 0.5f, StopSequences = stops } };
        SelfRefiner refiner = new(policy, new AriesRefinement(), options);

        (options.MaxTurns, options.Sampling.Temperature) = (4, 1);
        stops.Add("!");
        RefinementResult result = await refiner.RefineAsync("Q", Token);

        Assert.Single(result.Trace.Steps);
        Assert.Equal(0.5f, policy.Requests[0].Options.Temperature);
        Assert.Equal(["."], policy.Requests[0].Options.StopSequences);
    }

    public static TheoryData<string, SelfRefinerOptions> InvalidOptions => new()
    {
        { "MaxTurns", new() { MaxTurns = 0 } },
        { "TokenBudget", new() { TokenBudget = 511 } },
        { "TimeBudget", new() { TimeBudget = TimeSpan.Zero } },
        { "MinimumGain", new() { MinimumGain = double.NaN } },
        { "MinimumGain", new() { MinimumGain = -1 } },
        { "ScoreThreshold", new() { ScoreThreshold = double.PositiveInfinity } },
        { "FinalAnswer", new() { FinalAnswer = (FinalAnswer)9 } },
        { "OnFailure", new() { OnFailure = (FailureBehavior)9 } },
        { "Sampling", new() { Sampling = null! } },
        { "TopP", new() { Sampling = new() { TopP = 2 } } },
        { "TopP", new() { RefinementSampling = new() { TopP = 0 } } },
        { "AnswerExtractor", new() { FinalAnswer = FinalAnswer.MajorityVote } },
        { "AnswerExtractor", new() { AnswerExtractor = Gsm8kAnswerExtractor.Strict } },
        { "ScoreThreshold", new() { FinalAnswer = FinalAnswer.FirstAboveThreshold } },
    };

    [Theory]
    [MemberData(nameof(InvalidOptions))]
    public void Constructor_InvalidOption_NamesIt(string name, SelfRefinerOptions options)
    {
        using ScriptedPolicyModel policy = new("a");

        ArgumentException exception = Assert.ThrowsAny<ArgumentException>(() => new SelfRefiner(policy, new AriesRefinement(), options, new ScriptedScorer(_ => 0)));

        Assert.Contains(name, exception.Message, StringComparison.Ordinal);
    }

    public static TheoryData<string, SelfRefinerOptions> OptionsThatNeedAScorer => new()
    {
        { "MinimumGain", new() { MinimumGain = 0 } },
        { "ScoreThreshold", new() { ScoreThreshold = 1 } },
        { "FinalAnswer.BestScored", new() { FinalAnswer = FinalAnswer.BestScored } },
    };

    [Theory]
    [MemberData(nameof(OptionsThatNeedAScorer))]
    public void Constructor_NoScorer_NamesTheOption(string name, SelfRefinerOptions options)
    {
        using ScriptedPolicyModel policy = new("a");

        ArgumentException exception = Assert.Throws<ArgumentException>(() => new SelfRefiner(policy, new AriesRefinement(), options));

        Assert.Contains(name, exception.Message, StringComparison.Ordinal);
    }

    // The scheduler allocates for the trace, the requests and the lists of a turn; its share must stay small beside a model's own work.
    [Fact]
    public async Task RefineAsync_ManyChains_AllocatesLittleADraft()
    {
        using InstantPolicyModel policy = new();
        SelfRefiner refiner = new(policy, new AriesRefinement(4, new RefinementTemplate("{question}{response}")), new() { StopWhenUnchanged = false });
        Prompt[] prompts = [.. Enumerable.Repeat<Prompt>("Q", 256)];
        await refiner.RefineAsync(prompts, Token);

        long before = GC.GetAllocatedBytesForCurrentThread();
        IReadOnlyList<RefinementResult> results = await refiner.RefineAsync(prompts, Token);
        long bytes = (GC.GetAllocatedBytesForCurrentThread() - before) / results.Sum(result => result.Trace.Steps.Count);

        Assert.InRange(bytes, 1, 1500);
    }

    private static void AssertSame(RefinementResult expected, RefinementResult actual)
    {
        Assert.Equal(expected.Trace.Steps, actual.Trace.Steps);
        Assert.Equal((expected.Answer, expected.AnswerIndex, expected.StopReason, expected.Error), (actual.Answer, actual.AnswerIndex, actual.StopReason, actual.Error));
    }

    /// <summary>Two samples, then a refinement of the last, twice: samples and turns mixed.</summary>
    private sealed class SampledRefinement : IRefinementStrategy
    {
        public RefinementStep? NextStep(RefinementTrace trace) => trace.Steps.Count switch
        {
            0 => new RefinementStep(trace.Prompt) { SampleCount = 2 },
            < 5 => new RefinementStep(RefinementTemplate.Default.Apply(trace.Prompt, trace.Steps[^1].Text)) { SampleCount = trace.Steps.Count == 2 ? 1 : 2 },
            _ => null,
        };
    }

    private sealed class InstantPolicyModel : IPolicyModel
    {
        private static readonly Response Answer = new() { Text = "x", FinishReason = FinishReason.Stop };

        public Task<IReadOnlyList<Response>> GenerateAsync(IReadOnlyList<GenerationRequest> requests, CancellationToken cancellationToken = default)
        {
            Response[] responses = new Response[requests.Count];
            Array.Fill(responses, Answer);
            return Task.FromResult<IReadOnlyList<Response>>(responses);
        }

        public IAsyncEnumerable<ResponseUpdate> GenerateStreamingAsync(GenerationRequest request, CancellationToken cancellationToken = default) => throw new NotSupportedException();

        public void Dispose()
        {
        }
    }

    private sealed class RefusingPolicyModel(IPolicyModel inner, Func<GenerationRequest, bool> refuses) : IPolicyModel
    {
        public Task<IReadOnlyList<Response>> GenerateAsync(IReadOnlyList<GenerationRequest> requests, CancellationToken cancellationToken = default) =>
            requests.Any(refuses) ? throw new ArgumentException("longer than the context") : inner.GenerateAsync(requests, cancellationToken);

        public IAsyncEnumerable<ResponseUpdate> GenerateStreamingAsync(GenerationRequest request, CancellationToken cancellationToken = default) =>
            inner.GenerateStreamingAsync(request, cancellationToken);

        public void Dispose()
        {
        }
    }

    private sealed class TruncatingPolicyModel(IPolicyModel inner) : IPolicyModel
    {
        public async Task<IReadOnlyList<Response>> GenerateAsync(IReadOnlyList<GenerationRequest> requests, CancellationToken cancellationToken = default) =>
            [.. (await inner.GenerateAsync(requests, cancellationToken)).Skip(1)];

        public IAsyncEnumerable<ResponseUpdate> GenerateStreamingAsync(GenerationRequest request, CancellationToken cancellationToken = default) =>
            inner.GenerateStreamingAsync(request, cancellationToken);

        public void Dispose()
        {
        }
    }
}
