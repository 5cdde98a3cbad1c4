using Aries.Conformance;

namespace Aries.OnnxRuntimeGenAI.Tests;

[Collection(FakeLibraryTests.Name)]
public sealed class GenAIPolicyModelConformanceTests : PolicyModelConformance<GenAIPolicyModel>, IDisposable
{
    private readonly FakeLibrary _library = new();
    private readonly GenAIFolders _folders;

    public GenAIPolicyModelConformanceTests(GenAIFolders folders)
    {
        _folders = folders;
        _library.Serve(folders.Stories, GenAIFolders.StoriesSource);
    }

    protected override string TooLongPrompt => string.Concat(Enumerable.Repeat("Once upon a time ", 300));

    protected override GenAIPolicyModel CreateModel() =>
        GenAIPolicyModel.Load(_ => _library.Api, _folders.Stories, new GenAIPolicyOptions { MaxBatchSize = 3, PrefillLength = 4 });

    public void Dispose()
    {
        _library.AssertClean();
        _library.Dispose();
    }
}

[Collection(FakeLibraryTests.Name)]
public sealed class GenAILogProbabilityModelConformanceTests : LogProbabilityModelConformance<GenAIPolicyModel>, IDisposable
{
    private readonly FakeLibrary _library = new();
    private readonly GenAIFolders _folders;

    public GenAILogProbabilityModelConformanceTests(GenAIFolders folders)
    {
        _folders = folders;
        _library.Serve(folders.Stories, GenAIFolders.StoriesSource);
    }

    // The fake computes each row to the same bits, whatever its pass holds; the sum of the terms is rounded once more.
    protected override double Tolerance => 1e-5;

    protected override LogProbabilityRequest TooLong => new("Once", string.Concat(Enumerable.Repeat(" upon a time", 300)));

    protected override GenAIPolicyModel CreateModel() => GenAIPolicyModel.Load(_ => _library.Api, _folders.Stories, new GenAIPolicyOptions { PrefillLength = 8 });

    public void Dispose()
    {
        _library.AssertClean();
        _library.Dispose();
    }
}

public sealed class SuiteCoverageTests
{
    [Fact]
    public void Missing_ThisBackend_NothingIsLeftOut() => SuiteCoverage.AssertCovered(typeof(GenAIPolicyModel).Assembly, typeof(SuiteCoverageTests).Assembly);
}
