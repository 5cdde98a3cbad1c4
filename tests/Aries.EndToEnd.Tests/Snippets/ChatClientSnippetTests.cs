using System.Globalization;
using System.Text.RegularExpressions;
using Aries.Extensions.AI;
using Aries.TestKit;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.DependencyInjection;

namespace Aries.EndToEnd.Tests.Snippets;

/// <summary>Runs the code of docs/guides/chat-clients.md.</summary>
public sealed partial class ChatClientSnippetTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Refine_AnyClient_AnswersWithItsTrace()
    {
        using ScriptedPolicyModel policy = new("draft", "better");

        ChatResponse response = await ChatClients.RefineAsync(policy.AsIChatClient());

        Assert.Equal("better", response.Text);
        Assert.Equal(2, response.GetRefinementTrace()!.Drafts.Count());
    }

    [Fact]
    public async Task Pipeline_ThreeTurns_AnswersWithTheLast()
    {
        using ScriptedPolicyModel policy = new("a", "b", "c");

        Assert.Equal("c", (await ChatClients.BuildPipeline(policy.AsIChatClient()).GetResponseAsync("x", cancellationToken: Token)).Text);
    }

    [Fact]
    public async Task Stream_Drafts_AreShownBesideTheAnswer()
    {
        using ScriptedPolicyModel policy = new("draft", "better");
        (string drafts, string answer) = ("", "");

        ChatResponse response = await ChatClients.StreamAsync(policy.AsIChatClient().AsBuilder().UseSelfRefinement().Build(), text => drafts += text, text => answer += text);

        Assert.Equal(("draft", "better", "better"), (drafts, answer, response.Text));
    }

    [Fact]
    public async Task Choose_TwoRequests_AreRefinedAsTheySay()
    {
        using ScriptedPolicyModel policy = new("1", "2", "3", "4", "hello");
        IChatClient client = policy.AsIChatClient().AsBuilder().UseSelfRefinement(options => options.Strategy = new AriesRefinement(turnCount: 4)).Build();

        (ChatResponse careful, ChatResponse quick) = await ChatClients.ChooseAsync(client, new ChatOptions());

        Assert.Equal(("4", "hello"), (careful.Text, quick.Text));
        Assert.Null(quick.GetRefinementTrace());
    }

    [Fact]
    public async Task BestOf_Judge_ChoosesTheLongest()
    {
        using ScriptedPolicyModel policy = new((request, call) => ScriptedPolicyModel.Answer(request, new string('x', call + 1)));
        using ScriptedPolicyModel judge = Judge("Score", request => Part(request, "answer").Length.ToString(CultureInfo.InvariantCulture));

        ChatResponse response = await ChatClients.BuildBestOf(policy.AsIChatClient(), judge.AsIChatClient()).GetResponseAsync("q", cancellationToken: Token);

        Assert.Equal("xxxx", response.Text);
    }

    [Fact]
    public async Task Collect_ClientAndJudge_WritesPairs()
    {
        string file = Path.GetTempFileName();
        try
        {
            using ScriptedPolicyModel policy = new(question => $"answer {question.Length % 9}");
            using ScriptedPolicyModel judge = Judge("Score", request => Part(request, "answer")[^1..] is var digit && digit != "0" ? digit : "1");

            CollectionReport report = await ChatClients.CollectAsync(policy.AsIChatClient(), judge.AsIChatClient(), ["a", "bb", "ccc"], file);

            Assert.Equal((3, 0), (report.ChainCount, report.FailedCount));
            Assert.Equal(report.PairCount, (await File.ReadAllLinesAsync(file, Token)).Length);
            Assert.True(report.PairCount > 0);
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Fact]
    public async Task Compare_JudgeOfLength_IsAlikeInBothOrders()
    {
        using ScriptedPolicyModel judge = Judge("Verdict", request => Part(request, "answer A").Length > Part(request, "answer B").Length ? "A" : "B");

        PositionBiasReport report = await ChatClients.CompareAsync(judge.AsIChatClient(), [new("q", "long", "s"), new("q", "s", "long")]);

        Assert.Equal((1, 0), (report.Consistency, report.Bias));
    }

    [Fact]
    public async Task Local_Policy_IsServedAndRefined()
    {
        using ScriptedPolicyModel policy = new("draft", "better");

        Assert.Equal("better", (await ChatClients.Serve(policy).GetResponseAsync("x", cancellationToken: Token)).Text);
        Assert.All(policy.Requests, request => Assert.Equal(256, request.Options.MaxTokens));
    }

    [Fact]
    public async Task Container_Clients_ArePolicyAndJudge()
    {
        using ScriptedPolicyModel policy = new("long draft", "short");
        using ScriptedPolicyModel judge = Judge("Score", request => Part(request, "answer") == "long draft" ? "9" : "2");
        await using ServiceProvider provider = ChatClients.AddClients(new ServiceCollection(), policy.AsIChatClient(), judge.AsIChatClient()).BuildServiceProvider();

        Assert.Equal("long draft", (await provider.GetRequiredService<SelfRefiner>().RefineAsync("x", Token)).Answer);
    }

    private static ScriptedPolicyModel Judge(string verdict, Func<GenerationRequest, string> judge) =>
        new((request, _) => ScriptedPolicyModel.Answer(request, $"{verdict} {MarkOf(request)}: {judge(request)}"));

    private static string MarkOf(GenerationRequest request) => Mark().Match(request.Prompt.Question).Groups[1].Value;

    private static string Part(GenerationRequest request, string name)
    {
        (string text, string mark) = (request.Prompt.Question, MarkOf(request));
        int start = text.IndexOf($"[begin {name} {mark}]\n", StringComparison.Ordinal) + $"[begin {name} {mark}]\n".Length;
        return text[start..text.IndexOf($"\n[end {name} {mark}]", start, StringComparison.Ordinal)];
    }

    [GeneratedRegex(@"\[begin \w+ ([0-9a-f]{12})\]")]
    private static partial Regex Mark();
}
