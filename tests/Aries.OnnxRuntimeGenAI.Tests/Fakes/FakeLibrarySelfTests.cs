namespace Aries.OnnxRuntimeGenAI.Tests;

/// <summary>The fake notices what it is there to notice.</summary>
[Collection(FakeLibraryTests.Name)]
public sealed unsafe class FakeLibrarySelfTests : IDisposable
{
    private readonly FakeLibrary _library = new();
    private readonly GenAIFolders _folders;

    public FakeLibrarySelfTests(GenAIFolders folders)
    {
        _folders = folders;
        _library.Serve(folders.Adaptable, GenAIFolders.StoriesSource);
    }

    [Fact]
    public void AssertClean_ObjectThatNobodyDestroyed_Fails()
    {
        nint sequences;
        _library.Api.Check(_library.Api.CreateSequences(&sequences));

        AssertNoticed("FakeSequences");
    }

    [Fact]
    public void AssertClean_ObjectDestroyedTwice_Fails()
    {
        nint sequences;
        _library.Api.Check(_library.Api.CreateSequences(&sequences));
        _library.Api.DestroySequences(sequences);
        _library.Api.DestroySequences(sequences);

        AssertNoticed("after it was destroyed");
    }

    [Fact]
    public void AssertClean_CallAfterDispose_Fails()
    {
        nint sequences;
        _library.Api.Check(_library.Api.CreateSequences(&sequences));
        _library.Api.DestroySequences(sequences);
        _ = _library.Api.SequencesCount(sequences);

        AssertNoticed("OgaSequencesCount");
    }

    [Fact]
    public void AssertClean_ModelDestroyedBeforeItsTokenizer_Fails()
    {
        using OgaModel model = LoadModel();
        using OgaTokenizer tokenizer = new(model);
        _library.Api.DestroyModel(model.Handle.Pointer);

        AssertNoticed("before 1 objects");
    }

    [Fact]
    public void AssertClean_LogitsReadBehindARewind_Fails()
    {
        using OgaModel model = LoadModel();
        using OgaGenerator generator = new(model, adapter: null, batchSize: 1, maxLength: 32);
        generator.Append([1, 2, 3]);
        generator.RewindTo(2);
        generator.NextLogits().Dispose();

        AssertNoticed("rewind");
    }

    [Fact]
    public void AssertClean_SecondAdapterOnOneGenerator_Fails()
    {
        using OgaModel model = LoadModel();
        using LoadedAdapter adapter = LoadedAdapter.Load(model, GenAIFolders.Adapter);
        nint parameters;
        nint pointer;
        OgaApi api = _library.Api;
        api.Check(api.CreateGeneratorParams(model.Handle.Pointer, &parameters));
        api.Check(api.CreateGenerator(model.Handle.Pointer, parameters, &pointer));
        using (OgaHandle generator = new(pointer, api.DestroyGenerator))
        {
            adapter.Adapter.Activate(generator);
            adapter.Adapter.Activate(generator);
        }

        api.DestroyGeneratorParams(parameters);

        // The parameters above name no max_length either.
        AssertNoticed("second adapter");
        AssertNoticed("max_length");
    }

    [Fact]
    public void AssertClean_TwoThreadsInOneModel_Fails()
    {
        using OgaModel model = LoadModel();
        using OgaGenerator first = new(model, adapter: null, batchSize: 1, maxLength: 32);
        using OgaGenerator second = new(model, adapter: null, batchSize: 1, maxLength: 32);
        Thread? other = null;
        _library.OnPass = () =>
        {
            if (other is null)
            {
                // While this thread is in a pass, another one enters.
                other = new Thread(() => second.Append([4]));
                other.Start();
                other.Join();
            }
        };
        first.Append([1]);

        AssertNoticed("at once");
    }

    // Without −1 for padding, the logits after a text that ends with the padding token are those of the token before.
    [Fact]
    public void NextLogits_TextThatEndsWithThePaddingToken_ComesFromAnEarlierToken()
    {
        string folder = _folders.CopyOf(_folders.Stories);
        string path = Path.Combine(folder, "genai_config.json");
        File.WriteAllText(path, File.ReadAllText(path).Replace("\"pad_token_id\": -1", "\"pad_token_id\": 9", StringComparison.Ordinal));
        _library.Serve(folder, GenAIFolders.StoriesSource);
        OgaApi api = _library.Api;
        nint config;
        nint pointer;
        fixed (byte* text = Utf8Text.Terminated(folder))
        {
            api.Check(api.CreateConfig(text, &config));
        }

        api.Check(api.CreateModelFromConfig(config, &pointer));
        FakeModel model = _library.Get<FakeModel>(pointer);
        FakeLibrary.Leave();
        FakeParams parameters = new();
        foreach (string name in (string[])["do_sample", "min_length", "no_repeat_ngram_size"])
        {
            parameters.Values[name] = 0;
        }

        foreach (string name in (string[])["batch_size", "num_beams", "repetition_penalty", "max_length set"])
        {
            parameters.Values[name] = 1;
        }

        parameters.Values["max_length"] = 32;
        FakeGenerator padded = new(_library, model, parameters);
        padded.Append([[5, 7, 9]]);
        FakeGenerator shorter = new(_library, model, parameters);
        shorter.Append([[5, 7]]);

        Assert.Equal(shorter.Logits()[0], padded.Logits()[0]);
        api.DestroyModel(pointer);
        api.DestroyConfig(config);
        _library.AssertClean();
    }

    public void Dispose() => _library.Dispose();

    private OgaModel LoadModel() => OgaModel.Load(_library.Api, GenAIFolder.Read(_folders.Adaptable), new GenAIPolicyOptions());

    private void AssertNoticed(string problem) =>
        Assert.Contains(problem, Assert.ThrowsAny<Xunit.Sdk.XunitException>(_library.AssertClean).Message + string.Join(' ', _library.Violations), StringComparison.Ordinal);
}
