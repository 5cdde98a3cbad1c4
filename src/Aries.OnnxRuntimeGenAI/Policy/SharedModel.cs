namespace Aries.OnnxRuntimeGenAI;

/// <summary>A loaded model with its tokenizer and template, for policies that differ in their adapters alone. It goes with the last of its users.</summary>
/// <threadsafety><see cref="AddUser"/> and <see cref="Release"/> may be called concurrently; what computes passes <see cref="Gate"/>.</threadsafety>
internal sealed class SharedModel
{
    // The native library has one stream and one allocator for a device, whatever the number of models; loading and letting go use them too.
    private static readonly SemaphoreSlim DeviceGate = new(1, 1);

    private int _userCount = 1;

    private SharedModel(OgaModel model, ITextCodec codec, SemaphoreSlim gate) => (Model, Codec, Gate) = (model, codec, gate);

    public OgaModel Model { get; }

    public ITextCodec Codec { get; }

    public GenAIFolder Folder => Model.Folder;

    /// <summary>Gets what lets one call at a time through: of this model on the processor, of the whole process on other devices.</summary>
    public SemaphoreSlim Gate { get; }

    /// <summary>Loads a model; the caller is its first user.</summary>
    /// <exception cref="AriesException">It cannot be loaded: <see cref="GenAIPolicyModel.Load(string, GenAIPolicyOptions)"/>.</exception>
    public static SharedModel Load(OgaApi api, GenAIFolder folder, GenAIPolicyOptions options)
    {
        SemaphoreSlim gate = (options.Providers ?? folder.Providers).Count > 0 ? DeviceGate : new SemaphoreSlim(1, 1);
        GenAIRuntime.Count(1);
        gate.Wait();
        OgaModel? model = null;
        try
        {
            model = OgaModel.Load(api, folder, options);
            return new SharedModel(model, CreateCodec(model, options.ChatTemplate), gate);
        }
        catch (Exception exception)
        {
            model?.Dispose();
            GenAIRuntime.Count(-1);
            if (exception is OgaException native)
            {
                throw NativeFailure.OfLoading(native, folder.Path);
            }

            throw;
        }
        finally
        {
            gate.Release();
        }
    }

    public void AddUser() => Interlocked.Increment(ref _userCount);

    /// <summary>Ends a use. Whoever computed has let go of what it made; nobody holds the gate on this thread.</summary>
    public void Release()
    {
        if (Interlocked.Decrement(ref _userCount) == 0)
        {
            Gate.Wait();
            try
            {
                Codec.Dispose();
                Model.Dispose();
            }
            finally
            {
                Gate.Release();
                GenAIRuntime.Count(-1);
            }
        }
    }

    private static ITextCodec CreateCodec(OgaModel model, ChatTemplate? template)
    {
        OgaTokenizer? tokenizer = null;
        try
        {
            tokenizer = new OgaTokenizer(model);
            return new NativeTextCodec(tokenizer, model.Folder, template);
        }
        catch (OgaException exception) when (tokenizer is null)
        {
            try
            {
                return new OwnTextCodec(model.Folder, template);
            }
            catch (ModelFormatException)
            {
                // The native library's reason is the one that its users know.
                throw NativeFailure.OfLoading(exception, model.Folder.Path);
            }
        }
        catch
        {
            tokenizer?.Dispose();
            throw;
        }
    }
}
