using Aries.TestKit;
using CsCheck;

namespace Aries.Core.Tests;

public class StrategyTests
{
    [Fact]
    public async Task AriesRefinement_Default_IsDirectAnswerAndThreeRefinementsOfTheLastAnswer()
    {
        using ScriptedPolicyModel policy = new("one", "two", "three", "four", "five");

        RefinementResult result = await new SelfRefiner(policy, new AriesRefinement()).RefineAsync("Q", TestContext.Current.CancellationToken);

        Assert.Equal(["one", "two", "three", "four"], result.Trace.Drafts.Select(draft => draft.Text));
        Assert.Equal("Q", policy.Requests[0].Prompt);
        string[] previous = ["one", "two", "three"];
        Assert.Equal(previous.Select(answer => RefinementTemplate.Default.Apply("Q", answer)), policy.Requests.Skip(1).Select(request => request.Prompt));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(6)]
    public async Task AriesRefinement_TurnCount_IsTheNumberOfDrafts(int turnCount)
    {
        using ScriptedPolicyModel policy = new((request, call) => ScriptedPolicyModel.Answer(request, $"draft {call}"));

        RefinementResult result = await new SelfRefiner(policy, new AriesRefinement(turnCount)).RefineAsync("Q", TestContext.Current.CancellationToken);

        Assert.Equal(turnCount, result.Trace.Drafts.Count());
        Assert.Equal(RefinementStopReason.Completed, result.StopReason);
    }

    [Fact]
    public async Task AriesRefinement_EarlierTurns_StayInEveryPrompt()
    {
        Prompt prompt = new([new(PromptRole.System, "Be brief."), new(PromptRole.User, "Hi"), new(PromptRole.Assistant, "Hello"), new(PromptRole.User, "Q")]);
        using ScriptedPolicyModel policy = new("one", "two");

        await new SelfRefiner(policy, new AriesRefinement(2)).RefineAsync(prompt, TestContext.Current.CancellationToken);

        Assert.Equal(prompt.Take(3), policy.Requests[1].Prompt.Take(3));
        Assert.Equal(4, policy.Requests[1].Prompt.Count);
    }

    [Fact]
    public void AriesRefinement_ZeroTurns_Throws() => Assert.Throws<ArgumentOutOfRangeException>(() => new AriesRefinement(0));

    // What the model wrote is data: a response full of slots must come out letter for letter, in one place.
    [Theory]
    [InlineData("{question}")]
    [InlineData("{response}")]
    [InlineData("{response}{question}{feedback}")]
    public void NextStep_ResponseImitatesSlots_IsOnlyText(string hostile)
    {
        RefinementTemplate template = new("Q={question};R={response};");
        RefinementTrace trace = new() { Id = "a", Prompt = hostile, Steps = [new TraceStep { Text = hostile }] };

        RefinementStep step = new AriesRefinement(4, template).NextStep(trace)!;

        Assert.Equal($"Q={hostile};R={hostile};", step.Prompt.Question);
    }

    [Fact]
    public void Fill_AnyTextsAndAnyOrderOfSlots_PutsEachTextInItsPlace() =>
        Gen.Select(JsonlGenerators.Text, JsonlGenerators.Text, JsonlGenerators.Text, Gen.Shuffle(new[] { 0, 1, 2 })).Sample((question, response, feedback, order) =>
        {
            string[] slots = [SelfRefineOptions.QuestionSlot, SelfRefineOptions.ResponseSlot, SelfRefineOptions.FeedbackSlot];
            string[] values = [question, response, feedback];
            SlotTemplate template = new($"<{slots[order[0]]}|{slots[order[1]]}|{slots[order[2]]}>", "Template", slots);

            Assert.Equal($"<{values[order[0]]}|{values[order[1]]}|{values[order[2]]}>", template.Fill(question, response, feedback));
        });

    [Fact]
    public async Task SelfRefine_Default_AsksForRemarksThenForARewrite()
    {
        using ScriptedPolicyModel policy = new("d1", "f1", "d2", "f2", "d3");

        RefinementResult result = await new SelfRefiner(policy, new SelfRefine(new() { TurnCount = 3 })).RefineAsync("Q", TestContext.Current.CancellationToken);

        Assert.Equal(["d1", "f1", "d2", "f2", "d3"], result.Trace.Steps.Select(step => step.Text));
        Assert.Equal(["d1", "d2", "d3"], result.Trace.Drafts.Select(step => step.Text));
        Assert.Equal("d3", result.Answer);
        Assert.Contains("f1", policy.Requests[2].Prompt.Question, StringComparison.Ordinal);
        Assert.Contains("d1", policy.Requests[2].Prompt.Question, StringComparison.Ordinal);
        Assert.DoesNotContain("f1", policy.Requests[3].Prompt.Question, StringComparison.Ordinal);
    }

    [Fact]
    public async Task SelfRefine_StopWhen_EndsTheChainOnGoodRemarks()
    {
        using ScriptedPolicyModel policy = new("d1", "Weak.\nRating: 4/10", "d2", "Fine.\nRating: 9/10", "d3");
        SelfRefine strategy = new(new() { StopWhen = SelfRefine.RatingAtLeast(9) });

        RefinementResult result = await new SelfRefiner(policy, strategy).RefineAsync("Q", TestContext.Current.CancellationToken);

        Assert.Equal("d2", result.Answer);
        Assert.Equal(4, policy.CallCount);
    }

    [Theory]
    [InlineData("Rating: 8/10", true)]
    [InlineData("rating:  8 / 10", true)]
    [InlineData("Rating: 3/10 ... Rating: 10/10", true)]
    [InlineData("Rating: 9/10 ... Rating: 2/10", false)]
    [InlineData("Rating: 7.5/10", false)]
    [InlineData("It is correct, a clear 9.", false)]
    [InlineData("Rating: 9/100", false)]
    [InlineData("", false)]
    public void RatingAtLeast_Feedback_ReadsTheLastRating(string feedback, bool expected) =>
        Assert.Equal(expected, SelfRefine.RatingAtLeast(8)(feedback));

    [Fact]
    public void SelfRefineOptions_TemplateWithoutSlot_NamesTheTemplateAndTheSlot()
    {
        ArgumentException feedback = Assert.Throws<ArgumentException>(() => new SelfRefine(new() { FeedbackTemplate = "{question}" }));
        ArgumentException rewrite = Assert.Throws<ArgumentException>(() => new SelfRefine(new() { RewriteTemplate = "{question}{response}{feedback}{feedback}" }));

        Assert.Contains("FeedbackTemplate must hold the slot {response} exactly once, but holds it not at all", feedback.Message, StringComparison.Ordinal);
        Assert.Contains("RewriteTemplate must hold the slot {feedback} exactly once, but holds it more than once", rewrite.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void SelfRefine_OptionsChangedAfterwards_DoNotMatter()
    {
        SelfRefineOptions options = new() { TurnCount = 1 };
        SelfRefine strategy = new(options);

        options.TurnCount = 5;

        Assert.Null(strategy.NextStep(new RefinementTrace { Id = "a", Prompt = "Q", Steps = [new TraceStep { Text = "d" }] }));
    }

    [Fact]
    public async Task ParallelSampling_SampleCount_DrawsOneBatchOfTheSamePrompt()
    {
        using ScriptedPolicyModel policy = new(_ => "x");

        RefinementResult result = await Baselines.ParallelSamples(policy, 5, new() { Seed = 1 }).RefineAsync("Q", TestContext.Current.CancellationToken);

        Assert.Equal([5], policy.BatchSizes);
        Assert.Equal(5, result.Trace.Drafts.Count());
        Assert.All(policy.Requests, request => Assert.Equal("Q", request.Prompt));
        Assert.Equal(5, policy.Requests.Select(request => request.Options.Seed).Distinct().Count());
    }

    [Fact]
    public void SampleCount_Zero_Throws()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => new RefinementStep("Q") { SampleCount = 0 });
        Assert.Throws<ArgumentOutOfRangeException>(() => new ParallelSampling(0));
    }

    [Fact]
    public void ToString_TwoSettings_Differ()
    {
        string[] texts =
        [
            new AriesRefinement().ToString(), new AriesRefinement(3).ToString(), new AriesRefinement(4, new RefinementTemplate("{question}{response}")).ToString(),
            new SelfRefine().ToString(), new SelfRefine(new() { TurnCount = 2 }).ToString(), new SelfRefine(new() { FeedbackTemplate = "{question}{response}" }).ToString(),
            new ParallelSampling(1).ToString(), new ParallelSampling(2).ToString(),
        ];

        Assert.Equal(texts.Length, texts.Distinct().Count());
    }
}
