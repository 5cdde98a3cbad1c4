using Aries.Managed;

namespace Aries.OnnxRuntimeGenAI.Tests;

public sealed class GenAIPolicyModelLoaderTests(GenAIFolders folders) : FakeLibraryTests(folders)
{
    private static readonly GenerationRequest[] Requests =
    [
        .. Enumerable.Range(0, 6).Select(index => new GenerationRequest("Once upon a time", new SamplingOptions { MaxTokens = 24, Temperature = index == 0 ? 0 : 1, Seed = index })),
    ];

    // The scale of the adapter, 8 ÷ 4, is a power of two: folded into a matrix or applied after it, the bits are the same.
    [Fact]
    public async Task LoadAsync_AdapterOfARound_IsPutOntoTheModelThatIsLoaded()
    {
        Library.Serve(Folders.Adaptable, GenAIFolders.StoriesSource);
        using GenAIPolicyModelLoader loader = new(_ => Library.Api, options: null, findFolder: null);
        using ManagedPolicyModel managedBase = ManagedPolicyModel.Load(GenAIFolders.StoriesSource);
        using ManagedPolicyModel managedTrained = ManagedPolicyModel.Load(GenAIFolders.StoriesSource, new ManagedPolicyOptions { AdapterPath = GenAIFolders.Adapter });

        using (IPolicyModel first = await loader.LoadAsync(new PolicyCheckpoint(Folders.Adaptable), TestContext.Current.CancellationToken))
        {
            await Engines.AssertSameAsync(managedBase, first, Requests);
        }

        using (IPolicyModel second = await loader.LoadAsync(new PolicyCheckpoint(Folders.Adaptable, GenAIFolders.Adapter), TestContext.Current.CancellationToken))
        using (IPolicyModel beside = await loader.LoadAsync(new PolicyCheckpoint(Folders.Adaptable), TestContext.Current.CancellationToken))
        {
            await Engines.AssertSameAsync(managedTrained, second, Requests);
            await Engines.AssertSameAsync(managedTrained, second, Requests[1..2]);
            await Engines.AssertSameAsync(managedBase, beside, Requests);
            await Engines.AssertSameScoresAsync(managedTrained, second.GetService<ILogProbabilityModel>()!, Engines.Scored, 1e-5);
        }

        Assert.Single(Library.Configs);
        Assert.Equal(1, GenAIRuntime.ModelCount);
    }

    [Fact]
    public async Task LoadAsync_OtherFolderOrTheSameWrittenAnew_LoadsItAndLetsTheOldOneGo()
    {
        string folder = Folders.CopyOf(Folders.Stories);
        Library.Serve(folder, GenAIFolders.StoriesSource);
        GenAIPolicyModelLoader loader = new(_ => Library.Api, options: null, findFolder: null);
        (await loader.LoadAsync(new PolicyCheckpoint(folder), TestContext.Current.CancellationToken)).Dispose();
        File.SetLastWriteTimeUtc(Path.Combine(folder, "model.onnx"), new DateTime(2001, 2, 3, 4, 5, 6, DateTimeKind.Utc));

        using IPolicyModel model = await loader.LoadAsync(new PolicyCheckpoint(folder), TestContext.Current.CancellationToken);
        loader.Dispose();

        Assert.Equal(2, Library.Configs.Count);
        Assert.Equal(1, GenAIRuntime.ModelCount);
        Assert.NotEmpty((await model.GenerateAsync("Tom", new SamplingOptions { MaxTokens = 3 }, TestContext.Current.CancellationToken)).Text);
    }

    [Fact]
    public async Task LoadAsync_CheckpointThatIsNoGenAIFolder_AsksWhereItsFolderIs()
    {
        Library.Serve(Folders.Adaptable, GenAIFolders.StoriesSource);
        List<PolicyCheckpoint> asked = [];
        using GenAIPolicyModelLoader loader = new(
            _ => Library.Api,
            options: null,
            (checkpoint, _) =>
            {
                asked.Add(checkpoint);
                return Task.FromResult(Folders.Adaptable);
            });
        PolicyCheckpoint trained = new(GenAIFolders.StoriesSource, GenAIFolders.Adapter);

        using IPolicyModel model = await loader.LoadAsync(trained, TestContext.Current.CancellationToken);

        using ManagedPolicyModel managed = ManagedPolicyModel.Load(GenAIFolders.StoriesSource, new ManagedPolicyOptions { AdapterPath = GenAIFolders.Adapter });
        await Engines.AssertSameAsync(managed, model, Requests);
        Assert.Equal([trained], asked);
        Assert.NotEqual(
            await loader.GetFingerprintAsync(trained, TestContext.Current.CancellationToken),
            await loader.GetFingerprintAsync(new PolicyCheckpoint(GenAIFolders.StoriesSource), TestContext.Current.CancellationToken));
    }

    [Fact]
    public void Constructor_AdapterInTheOptions_Throws() =>
        Assert.Contains(
            "AdapterPath", Assert.Throws<ArgumentException>(() => new GenAIPolicyModelLoader(new GenAIPolicyOptions { AdapterPath = GenAIFolders.Adapter })).Message, StringComparison.Ordinal);
}
