using Aries.TestKit;
using Microsoft.Extensions.DependencyInjection;

namespace Aries.Core.Tests;

public class AddAriesTests
{
    [Fact]
    public async Task AddAries_PolicyOnly_RefinesAsThePaperDoes()
    {
        using IPolicyModel policy = await ToyPolicyAsync();
        ServiceCollection services = [];
        services.AddAries(options => options.StopWhenUnchanged = false).UsePolicy(policy);
        await using ServiceProvider provider = services.BuildServiceProvider(validateScopes: true);

        RefinementResult result = await provider.GetRequiredService<SelfRefiner>().RefineAsync("why?", TestContext.Current.CancellationToken);

        Assert.Equal(4, result.Trace.Drafts.Count());
        Assert.IsType<AriesRefinement>(provider.GetRequiredService<IRefinementStrategy>());
    }

    [Fact]
    public async Task AddAries_Options_ReachTheRefiner()
    {
        using IPolicyModel policy = await ToyPolicyAsync();
        ServiceCollection services = [];
        services.AddAries(options => (options.MaxTurns, options.StopWhenUnchanged) = (2, false)).UsePolicy(policy);
        await using ServiceProvider provider = services.BuildServiceProvider();

        RefinementResult result = await provider.GetRequiredService<SelfRefiner>().RefineAsync("why?", TestContext.Current.CancellationToken);

        Assert.Equal(2, result.Trace.Drafts.Count());
    }

    [Fact]
    public async Task AddAries_ScorerAndStrategy_AreUsed()
    {
        using IPolicyModel policy = await ToyPolicyAsync();
        ServiceCollection services = [];
        services.AddAries().UsePolicy(policy).UseScorer(ToyScorer.MeanDigit()).UseStrategy(new ParallelSampling(3));
        await using ServiceProvider provider = services.BuildServiceProvider();

        RefinementResult result = await provider.GetRequiredService<SelfRefiner>().RefineAsync("why?", TestContext.Current.CancellationToken);

        Assert.Equal(3, result.Trace.Drafts.Count());
        Assert.All(result.Trace.Drafts, draft => Assert.NotNull(draft.Score));
    }

    [Fact]
    public void Use_Twice_TheLastWins()
    {
        ParallelSampling last = new(2);
        ServiceCollection services = [];
        services.AddAries().UseStrategy(new ParallelSampling(3)).UseStrategy(_ => last);
        using ServiceProvider provider = services.BuildServiceProvider();

        Assert.Same(last, Assert.Single(provider.GetServices<IRefinementStrategy>()));
    }

    [Fact]
    public void AddAries_Twice_KeepsWhatWasChosen()
    {
        ParallelSampling chosen = new(2);
        ServiceCollection services = [];
        services.AddAries().UseStrategy(chosen);
        services.AddAries();
        using ServiceProvider provider = services.BuildServiceProvider();

        Assert.Same(chosen, Assert.Single(provider.GetServices<IRefinementStrategy>()));
        Assert.Single(services, service => service.ServiceType == typeof(SelfRefiner));
    }

    [Fact]
    public void AddAries_InvalidOptions_FailWhenResolved()
    {
        ServiceCollection services = [];
        services.AddAries(options => options.MaxTurns = 0).UsePolicy(_ => throw new InvalidOperationException("Not needed: the options come first."));
        using ServiceProvider provider = services.BuildServiceProvider();

        Assert.ThrowsAny<ArgumentException>(provider.GetRequiredService<SelfRefiner>);
    }

    [Fact]
    public void AddAries_NoPolicy_SaysHowToChooseOne()
    {
        ServiceCollection services = [];
        services.AddAries();
        using ServiceProvider provider = services.BuildServiceProvider();

        InvalidOperationException exception = Assert.Throws<InvalidOperationException>(provider.GetRequiredService<SelfRefiner>);

        Assert.Contains("UsePolicy", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task UsePolicy_Instance_StaysTheCallersToDispose()
    {
        using IPolicyModel policy = await ToyPolicyAsync();
        ServiceCollection services = [];
        services.AddAries().UsePolicy(policy);

        await using (ServiceProvider provider = services.BuildServiceProvider())
        {
            _ = provider.GetRequiredService<SelfRefiner>();
        }

        Assert.Single(await policy.GenerateAsync([new GenerationRequest("alive?")], TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task UsePolicy_Factory_IsDisposedByTheContainer()
    {
        IPolicyModel policy = await ToyPolicyAsync();
        ServiceCollection services = [];
        services.AddAries().UsePolicy(_ => policy);

        await using (ServiceProvider provider = services.BuildServiceProvider())
        {
            _ = provider.GetRequiredService<SelfRefiner>();
        }

        await Assert.ThrowsAsync<ObjectDisposedException>(() => policy.GenerateAsync([new GenerationRequest("alive?")], TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task AddLoop_AllPartsChosen_RunsTheLoop()
    {
        using LoopFixture fixture = new();
        AriesLoopParts parts = fixture.Parts();
        ServiceCollection services = [];
        services.AddAries()
            .UsePolicyLoader(_ => parts.Loader)
            .UseTrainer(_ => parts.Trainer)
            .UseStrategy(parts.Strategy)
            .UseSelector(parts.Selector)
            .UseScorer(parts.Scorer!)
            .AddLoop(options => (options.RoundCount, options.PromptsPerRound) = (1, 5));
        services.AddSingleton<TimeProvider>(new StoppedTimeProvider());
        await using ServiceProvider provider = services.BuildServiceProvider();

        AriesRunResult result = await provider.GetRequiredService<AriesLoop>()
            .RunAsync(fixture.Base, fixture.Data, fixture.Folder(), TestContext.Current.CancellationToken);

        Assert.Equal(2, result.Rounds.Count);
        Assert.Equal(TimeSpan.Zero, result.Rounds[1].Duration);
    }

    private static async Task<IPolicyModel> ToyPolicyAsync()
    {
        string folder = Path.Combine(Path.GetTempPath(), "aries-policy-" + Path.GetRandomFileName());
        try
        {
            return await new ToyPolicyLoader().LoadAsync(ToyCheckpoint.Write(folder, 1));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
