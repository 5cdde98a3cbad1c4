using System.Globalization;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Aries.OnnxRuntimeGenAI.Tests;

/// <summary>The C API of ONNX Runtime GenAI, as functions that unmanaged code may call.</summary>
internal static unsafe class FakeFunctions
{
    private static readonly string[] Numbers =
    [
        "min_length", "max_length", "batch_size", "num_beams", "num_return_sequences", "repetition_penalty", "top_k", "top_p", "temperature", "no_repeat_ngram_size", "length_penalty",
        "diversity_penalty", "random_seed", "chunk_size",
    ];

    private static readonly string[] Switches = ["do_sample", "early_stopping", "past_present_share_buffer"];

    private static FakeLibrary Library => FakeLibrary.Current;

    /// <summary>Returns the address of a function, or 0 where there is none of that name.</summary>
    public static nint Find(string name) =>
        typeof(FakeFunctions).GetMethod(name, BindingFlags.NonPublic | BindingFlags.Static) is { } method ? method.MethodHandle.GetFunctionPointer() : 0;

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void OgaShutdown() => Do(() =>
    {
        if (Library.AliveCount > 0)
        {
            Library.Violate($"The library was shut down under {Library.AliveCount} objects.");
        }
    });

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static byte* OgaResultGetError(nint result) => (byte*)Value(() => Library.Get<FakeResult>(result).Message);

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void OgaDestroyResult(nint result) => Do(() => Library.Destroy<FakeResult>(result));

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void OgaDestroyString(byte* text) => Do(() => Library.DestroyText((nint)text));

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static nint OgaCreateConfig(byte* path, nint* result) => Try(() => *result = Library.Add(new FakeConfig(Utf8Text.Read(path))));

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static nint OgaConfigClearProviders(nint config) => Try(() => Library.Get<FakeConfig>(config).Providers = []);

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static nint OgaConfigAppendProvider(nint config, byte* provider) => Try(() => (Library.Get<FakeConfig>(config).Providers ??= []).Add(Utf8Text.Read(provider)));

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static nint OgaConfigSetProviderOption(nint config, byte* provider, byte* key, byte* value) =>
        Try(() => Library.Get<FakeConfig>(config).ProviderOptions[$"{Utf8Text.Read(provider)}.{Utf8Text.Read(key)}"] = Utf8Text.Read(value));

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static nint OgaConfigOverlay(nint config, byte* json) => Try(() => Library.Get<FakeConfig>(config).Overlay(Utf8Text.Read(json)));

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void OgaDestroyConfig(nint config) => Do(() => Library.Destroy<FakeConfig>(config));

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static nint OgaCreateModelFromConfig(nint config, nint* result) => Try(() =>
    {
        FakeConfig from = Library.Get<FakeConfig>(config);
        string type = from.Root["model"]!["type"]!.GetValue<string>();
        if (type is not ("llama" or "phi3"))
        {
            throw new FakeNativeException($"Unsupported model_type in config.json: {type}");
        }

        bool usesDevice = (from.Providers ?? [.. from.Root["model"]!["decoder"]!["session_options"]!["provider_options"]!.AsArray().Select(item => item!.AsObject().First().Key)]).Count > 0;
        if (usesDevice && !Library.HasDevice)
        {
            throw new FakeNativeException("Cuda interface not available: Failed to load library: /app/libonnxruntime-genai-cuda.so: cannot open shared object file");
        }

        string device = usesDevice ? Library.Device : "CPU";
        FakeTurn turn = Library.TurnOf(device);
        Library.Enter(turn);
        Library.Configs.Add(from);
        *result = Library.Add(new FakeModel { Turn = turn, Device = device, Path = from.Path, Root = from.Root.DeepClone().AsObject(), Network = Library.NetworkOf(from.Path) });
    });

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static nint OgaModelGetDeviceType(nint model, byte** result) => Try(() => *result = (byte*)Library.AddText(Library.Get<FakeModel>(model).Device));

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void OgaDestroyModel(nint model) => Do(() => Library.Destroy<FakeModel>(model));

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static nint OgaCreateTokenizer(nint model, nint* result) => Try(() =>
    {
        FakeModel of = Library.Get<FakeModel>(model);
        if (!Library.ReadsTokenizer)
        {
            throw new FakeNativeException(@"Invalid regex:  ?\p{L}+| ?\p{N}|[^\s\p{L}\p{N}]|\s+");
        }

        FakeTokenizer tokenizer = new() { Turn = of.Turn, Path = of.Path, Tokenizer = TokenizerFolder.Load(of.Path) };
        tokenizer.EndTokenIds = tokenizer.Allocate(MemoryMarshal.AsBytes<int>(of.EndTokenIds));
        *result = Library.Add(tokenizer, of);
    });

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static nint OgaTokenizerGetEosTokenIds(nint tokenizer, int** ids, nuint* count) => Try(() =>
    {
        FakeTokenizer of = Library.Get<FakeTokenizer>(tokenizer);
        *ids = (int*)of.EndTokenIds;
        *count = (nuint)((FakeModel)of.Owners[0]).EndTokenIds.Length;
    });

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static nint OgaTokenizerEncode(nint tokenizer, byte* text, nint sequences) => Try(() =>
        Library.Get<FakeSequences>(sequences).Add(Library.Get<FakeTokenizer>(tokenizer).Tokenizer.Encode(Utf8Text.Read(text), allowSpecial: true)));

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static nint OgaTokenizerApplyChatTemplate(nint tokenizer, byte* template, byte* messages, byte* tools, byte addsPrompt, byte** result) => Try(() =>
    {
        FakeTokenizer of = Library.Get<FakeTokenizer>(tokenizer);
        ChatTemplate chat = ChatTemplateReader.Read(of.Path, of.Tokenizer);
        if (chat.IsPlain)
        {
            throw new FakeNativeException("Chat template is not found. Please provide a template.");
        }

        PromptTurn[] turns =
        [
            .. JsonNode.Parse(Utf8Text.Read(messages))!.AsArray().Select(message => new PromptTurn(
                Enum.Parse<PromptRole>(message!["role"]!.GetValue<string>(), ignoreCase: true), message["content"]!.GetValue<string>())),
        ];
        if (turns[0].Role == PromptRole.Assistant)
        {
            throw new FakeNativeException("Conversation roles must alternate user/assistant/user/assistant/...");
        }

        *result = (byte*)Library.AddText(string.Concat(chat.Render(new Prompt(turns)).Select(segment => segment.Text)));
    });

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void OgaDestroyTokenizer(nint tokenizer) => Do(() => Library.Destroy<FakeTokenizer>(tokenizer));

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static nint OgaCreateTokenizerStream(nint tokenizer, nint* result) => Try(() =>
    {
        FakeTokenizer of = Library.Get<FakeTokenizer>(tokenizer);
        *result = Library.Add(new FakeStream(of.Tokenizer) { Turn = of.Turn }, of);
    });

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static nint OgaTokenizerStreamDecode(nint stream, int token, byte** text) => Try(() => *text = (byte*)Library.Get<FakeStream>(stream).Decode(token));

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void OgaDestroyTokenizerStream(nint stream) => Do(() => Library.Destroy<FakeStream>(stream));

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static nint OgaCreateSequences(nint* result) => Try(() => *result = Library.Add(new FakeSequences()));

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static nint OgaAppendTokenSequence(int* tokens, nuint count, nint sequences) => Try(() => Library.Get<FakeSequences>(sequences).Add(new ReadOnlySpan<int>(tokens, (int)count)));

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static nuint OgaSequencesCount(nint sequences) => (nuint)Value(() => Library.Get<FakeSequences>(sequences).Sequences.Count);

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static nuint OgaSequencesGetSequenceCount(nint sequences, nuint index) => (nuint)Value(() => Library.Get<FakeSequences>(sequences).Sequences[(int)index].Count);

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int* OgaSequencesGetSequenceData(nint sequences, nuint index) => (int*)Value(() => Library.Get<FakeSequences>(sequences).Sequences[(int)index].Ids);

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void OgaDestroySequences(nint sequences) => Do(() => Library.Destroy<FakeSequences>(sequences));

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static nint OgaCreateGeneratorParams(nint model, nint* result) => Try(() =>
    {
        FakeModel of = Library.Get<FakeModel>(model);
        FakeParams parameters = new() { Turn = of.Turn };
        foreach ((string name, double value) in (ReadOnlySpan<(string, double)>)
        [
            ("do_sample", 0), ("min_length", 0), ("max_length", of.ContextLength), ("batch_size", 1), ("num_beams", 1), ("num_return_sequences", 1), ("repetition_penalty", 1), ("no_repeat_ngram_size", 0),
        ])
        {
            parameters.Values[name] = of.Search(name, value);
        }

        *result = Library.Add(parameters, of);
    });

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static nint OgaGeneratorParamsSetSearchNumber(nint parameters, byte* name, double value) => Try(() => Set(parameters, Utf8Text.Read(name), value, Numbers));

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static nint OgaGeneratorParamsSetSearchBool(nint parameters, byte* name, byte value) => Try(() => Set(parameters, Utf8Text.Read(name), value, Switches));

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void OgaDestroyGeneratorParams(nint parameters) => Do(() => Library.Destroy<FakeParams>(parameters));

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static nint OgaCreateGenerator(nint model, nint parameters, nint* result) => Try(() =>
    {
        FakeModel of = Library.Get<FakeModel>(model);
        *result = Library.Add(new FakeGenerator(Library, of, Library.Get<FakeParams>(parameters)) { Turn = of.Turn }, of);
    });

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static nint OgaGenerator_AppendTokenSequences(nint generator, nint sequences) => Try(() =>
    {
        FakeGenerator of = Library.Get<FakeGenerator>(generator);
        FakeSequences from = Library.Get<FakeSequences>(sequences);
        if (from.Sequences.Count != of.BatchSize)
        {
            throw new FakeNativeException($"Number of sequences ({from.Sequences.Count}) does not match batch_size ({of.BatchSize})");
        }

        of.Append([.. Enumerable.Range(0, of.BatchSize).Select(row => from[row])]);
    });

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static nint OgaGenerator_AppendTokens(nint generator, int* tokens, nuint count) =>
        Try(() => Library.Get<FakeGenerator>(generator).Append([new ReadOnlySpan<int>(tokens, (int)count).ToArray()]));

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static nint OgaGenerator_GenerateNextToken(nint generator) => Try(() => Library.Get<FakeGenerator>(generator).GenerateNextToken());

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static nint OgaGenerator_RewindTo(nint generator, nuint length) => Try(() => Library.Get<FakeGenerator>(generator).Rewind((int)length));

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static nint OgaGenerator_GetOutput(nint generator, byte* name, nint* result) => Try(() =>
    {
        if (Utf8Text.Read(name) != "logits")
        {
            throw new FakeNativeException("Invalid output name.");
        }

        FakeGenerator of = Library.Get<FakeGenerator>(generator);
        *result = AddTensor(of.Output(), of.VocabularySize, Library.IsHalf ? 10 : 1);
    });

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static nint OgaGenerator_GetLogits(nint generator, nint* result) => Try(() =>
    {
        FakeGenerator of = Library.Get<FakeGenerator>(generator);
        *result = AddTensor(of.Logits(), of.VocabularySize, 1);
    });

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static nint OgaGenerator_SetLogits(nint generator, nint tensor) => Try(() =>
    {
        FakeTensor from = Library.Get<FakeTensor>(tensor);
        int rows = (int)from.Shape[0];
        int vocabulary = (int)from.Shape[^1];
        float* data = (float*)from.Data;
        Library.Get<FakeGenerator>(generator).SetLogits([.. Enumerable.Range(0, rows).Select(row => new ReadOnlySpan<float>(data + (row * vocabulary), vocabulary).ToArray())]);
    });

    // The one function that another thread may be in.
    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static nint OgaGenerator_SetRuntimeOption(nint generator, byte* key, byte* value) => Try(() =>
    {
        if (Utf8Text.Read(key) != "terminate_session")
        {
            throw new FakeNativeException("Invalid runtime option.");
        }

        Library.Peek<FakeGenerator>(generator).Terminate(Utf8Text.Read(value) == "1");
    });

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void OgaDestroyGenerator(nint generator) => Do(() => Library.Destroy<FakeGenerator>(generator));

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static nint OgaCreateTensorFromBuffer(void* data, long* shape, nuint rank, int type, nint* result) =>
        Try(() => *result = Library.Add(new FakeTensor { Shape = new ReadOnlySpan<long>(shape, (int)rank).ToArray(), Type = type, Data = (nint)data }));

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static nint OgaTensorGetType(nint tensor, int* result) => Try(() => *result = Library.Get<FakeTensor>(tensor).Type);

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static nint OgaTensorGetShapeRank(nint tensor, nuint* result) => Try(() => *result = (nuint)Library.Get<FakeTensor>(tensor).Shape.Length);

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static nint OgaTensorGetShape(nint tensor, long* shape, nuint rank) => Try(() => Library.Get<FakeTensor>(tensor).Shape.CopyTo(new Span<long>(shape, (int)rank)));

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static nint OgaTensorGetData(nint tensor, void** result) => Try(() => *result = (void*)Library.Get<FakeTensor>(tensor).Data);

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void OgaDestroyTensor(nint tensor) => Do(() => Library.Destroy<FakeTensor>(tensor));

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static nint OgaCreateAdapters(nint model, nint* result) => Try(() =>
    {
        FakeModel of = Library.Get<FakeModel>(model);
        *result = Library.Add(new FakeAdapters { Turn = of.Turn }, of);
    });

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static nint OgaLoadAdapter(nint adapters, byte* path, byte* name) => Try(() =>
    {
        if (!Library.Get<FakeAdapters>(adapters).Loaded.TryAdd(Utf8Text.Read(name), new FakeAdapterFile(Utf8Text.Read(path))))
        {
            throw new FakeNativeException($"Adapter already loaded: {Utf8Text.Read(name)}");
        }
    });

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static nint OgaSetActiveAdapter(nint generator, nint adapters, byte* name) => Try(() =>
    {
        FakeGenerator of = Library.Get<FakeGenerator>(generator);
        FakeAdapters from = Library.Get<FakeAdapters>(adapters);
        of.Activate(from.Loaded[Utf8Text.Read(name)]);

        // The generator keeps reading the adapter.
        of.Owners.Add(from);
        from.DependentCount++;
    });

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void OgaDestroyAdapters(nint adapters) => Do(() => Library.Destroy<FakeAdapters>(adapters));

    private static void Set(nint parameters, string name, double value, string[] known)
    {
        if (!known.Contains(name))
        {
            throw new FakeNativeException($"Unknown value \"{name}\"");
        }

        FakeParams of = Library.Get<FakeParams>(parameters);
        of.Values[name] = value;
        of.Values[$"{name} set"] = 1;
    }

    private static nint AddTensor(float[][] rows, int vocabulary, int type)
    {
        FakeTensor tensor = new() { Type = type, Shape = [rows.Length, rows[0].Length / vocabulary, vocabulary] };
        float[] values = [.. rows.SelectMany(row => row)];
        tensor.Data = type == 1
            ? tensor.Allocate(MemoryMarshal.AsBytes<float>(values))
            : tensor.Allocate(MemoryMarshal.AsBytes<Half>(Array.ConvertAll(values, value => (Half)value)));
        return Library.Add(tensor);
    }

    private static nint Try(Action action, [CallerMemberName] string function = "")
    {
        try
        {
            action();
            return 0;
        }
        catch (FakeNativeException exception)
        {
            return Library.Add(new FakeResult(exception.Message));
        }
        catch (Exception exception) when (exception is JsonException or IOException or AriesException)
        {
            return Library.Add(new FakeResult(exception.Message));
        }
        catch (Exception exception)
        {
            // An exception must not leave a function that unmanaged code calls; in the real library this is where a process ends or memory is overwritten.
            Library.Violate(string.Create(CultureInfo.InvariantCulture, $"{function}: {exception.Message}"));
            return Library.Add(new FakeResult(exception.Message));
        }
        finally
        {
            FakeLibrary.Leave();
        }
    }

    private static void Do(Action action, [CallerMemberName] string function = "")
    {
        nint result = Try(action, function);
        if (result != 0)
        {
            Library.Destroy<FakeResult>(result);
            Library.Violate($"{function} failed, and has no way to say so.");
        }
    }

    private static nint Value(Func<nint> function, [CallerMemberName] string name = "")
    {
        nint value = 0;
        Do(() => value = function(), name);
        return value;
    }
}
