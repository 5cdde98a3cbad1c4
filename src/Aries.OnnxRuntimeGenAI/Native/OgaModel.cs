using System.Text;
using System.Text.Json.Nodes;

namespace Aries.OnnxRuntimeGenAI;

/// <summary>A loaded model of the native library.</summary>
/// <threadsafety>One call at a time.</threadsafety>
internal sealed unsafe class OgaModel : IDisposable
{
    // After these a second append does not continue the first, or nothing can be taken back: what the native library says of its own devices and model types
    // (generators.cpp: SupportsContinuousDecoding, RewindToLength). Models of the Phi-3 family change their rotary factors at one length, and the native library computes them again only while it decodes itself.
    private static readonly string[] ContinuingDevices = ["CPU", "CUDA", "WebGPU", "OpenVINO", "NvTensorRtRtx", "RyzenAI"];
    private static readonly string[] ClosedModelTypes = ["phi3", "phi3small", "phimoe", "phi3v", "decoder-pipeline", "lfm2", "whisper"];

    private readonly OgaHandle _model;

    private OgaModel(OgaApi api, OgaHandle model, string device, GenAIFolder folder)
    {
        (Api, _model, Device, Folder) = (api, model, device, folder);
        IsContinuing = ContinuingDevices.Contains(device) && !ClosedModelTypes.Contains(folder.ModelType);
    }

    public OgaApi Api { get; }

    public GenAIFolder Folder { get; }

    /// <summary>Gets where the model computes, as the native library names it.</summary>
    public string Device { get; }

    /// <summary>Gets whether a sequence can be appended to more than once.</summary>
    public bool IsContinuing { get; }

    public OgaHandle Handle => _model;

    /// <summary>Loads a model.</summary>
    /// <exception cref="OgaException">The native library cannot.</exception>
    public static OgaModel Load(OgaApi api, GenAIFolder folder, GenAIPolicyOptions options)
    {
        nint pointer;
        fixed (byte* path = Utf8Text.Terminated(folder.Path))
        {
            api.Check(api.CreateConfig(path, &pointer));
        }

        using OgaHandle config = new(pointer, api.DestroyConfig);
        SetProviders(api, config, options.Providers);
        fixed (byte* overlay = Encoding.UTF8.GetBytes(Overlay(folder, options) + '\0'))
        {
            api.Check(api.ConfigOverlay(config.Pointer, overlay));
        }

        api.Check(api.CreateModelFromConfig(config.Pointer, &pointer));
        OgaHandle model = new(pointer, api.DestroyModel);
        try
        {
            byte* device;
            api.Check(api.ModelGetDeviceType(model.Pointer, &device));
            string name = Utf8Text.Read(device);
            api.DestroyString(device);
            return new OgaModel(api, model, name, folder);
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    public void Dispose() => _model.Dispose();

    private static void SetProviders(OgaApi api, OgaHandle config, IReadOnlyList<GenAIExecutionProvider>? providers)
    {
        if (providers is null)
        {
            return;
        }

        api.Check(api.ConfigClearProviders(config.Pointer));
        foreach (GenAIExecutionProvider provider in providers)
        {
            fixed (byte* name = Utf8Text.Terminated(provider.Name))
            {
                api.Check(api.ConfigAppendProvider(config.Pointer, name));
                foreach ((string key, string value) in provider.Options)
                {
                    fixed (byte* keyText = Utf8Text.Terminated(key), valueText = Utf8Text.Terminated(value))
                    {
                        api.Check(api.ConfigSetProviderOption(config.Pointer, name, keyText, valueText));
                    }
                }
            }
        }
    }

    // A token that is padding cannot end a prompt: the native library takes the logits of the last token before it. With −1, none is, and ragged batches stay right.
    // A prompt that the native library cuts into chunks of its own shows the logits of the last chunk alone.
    private static string Overlay(GenAIFolder folder, GenAIPolicyOptions options)
    {
        JsonObject model = new() { ["pad_token_id"] = -1 };
        JsonObject root = new() { ["model"] = model };
        if (options.ThreadCount is { } threads)
        {
            model["decoder"] = new JsonObject { ["session_options"] = new JsonObject { ["intra_op_num_threads"] = threads } };
        }

        if (folder.HasChunks)
        {
            root["search"] = new JsonObject { ["chunk_size"] = folder.ContextLength };
        }

        return root.ToJsonString();
    }
}
